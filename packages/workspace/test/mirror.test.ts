import { spawn } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manualClock, startGitServer, startProxy, testRepos, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { fixture, git } from './support/fixture.ts';

const http = { allowedProtocols: ['http', 'file'] as const };

/** A manager whose time stands still but for so many milliseconds per question, what it asked of the remote, and how long it waits for what. */
function paced(it: ReturnType<typeof fixture>, took = 20_000) {
  const [asked, waits]: [string[], number[]] = [[], []];
  const manual = manualClock();
  const setTimeout = (run: () => void, ms: number): unknown => {
    waits.push(ms);
    return manual.setTimeout(run, ms);
  };
  const onFetched = ({ kind, shared }: { readonly kind: string; readonly shared: boolean }): void => {
    asked.push(shared ? 'shared' : kind);
  };
  const clock = { ...manual, setTimeout };
  const aroundFetch = async <T>(work: () => Promise<T>, { kind }: { readonly kind: string }): Promise<T> => {
    if (kind === 'probe') await manual.advance(took);
    return await work();
  };
  const manager = it.manager({ clock, askInterval: '1m', instrumentation: { onFetched, aroundFetch } });
  return { manager, asked, clock, waitsFor: (ms: number) => waitFor(() => waits.includes(ms)) };
}

test('a commit that is present needs no network at all', async () => {
  await using it = fixture();
  await using server = await startGitServer();
  const repo = await server.createRepo('x.git', it.origin);
  const manager = it.manager(http);
  const first = await manager.checkout({ repo });
  const before = server.requests.length;
  await using second = await manager.checkout({ repo, ref: first.base, branch: 'agent/2' });
  expect(second.base).toBe(first.base);
  expect(server.requests.length).toBe(before);
  expect(second.stats.fetchMs).toBe(0);
});

test('a real repository over a link of 20 ms: branch, tag, cone, push, fetch by an agent', async () => {
  await using it = fixture();
  await using server = await startGitServer();
  await using proxy = await startProxy({ target: server.url });
  proxy.latency(10);
  const { got } = await testRepos();
  const url = new URL(await server.createRepo('got.git', got));
  const served = join(server.root, 'got.git');
  git(served, '--git-dir=.', 'symbolic-ref', 'HEAD', 'refs/heads/main');
  url.port = String(proxy.port);
  const repo = url.href;
  const manager = it.manager(http);
  const head = git(served, '--git-dir=.', 'rev-parse', 'main');
  await using workspace = await manager.checkout({ repo, branch: 'agent/1' });
  expect(workspace.base).toBe(head);
  const commits = git(served, '--git-dir=.', 'rev-list', '--count', 'main');
  expect((await workspace.exec('git', ['rev-list', '--count', 'HEAD'])).stdout.trim()).toBe(commits);
  await using cone = await manager.checkout({ repo, ref: head, sparse: ['source/core'] });
  expect(existsSync(join(cone.path, 'test'))).toBe(false);
  expect((await cone.exec('git', ['status', '--porcelain'])).stdout).toBe('');
  git(served, '--git-dir=.', 'update-ref', 'refs/tags/older', `${head}~20`);
  await using older = await manager.checkout({ repo, ref: 'older' });
  expect(older.base).toBe(git(served, '--git-dir=.', 'rev-parse', 'main~20'));
  writeFileSync(join(workspace.path, 'new.txt'), 'new\n');
  const commit = await workspace.commitAll('New');
  expect((await workspace.push()).status).toBe('pushed');
  expect((await older.exec('git', ['fetch', '-q', 'origin', 'agent/1'])).exitCode).toBe(0);
  expect((await older.exec('git', ['rev-parse', 'FETCH_HEAD'])).stdout.trim()).toBe(commit?.sha);
  expect((await older.exec('git', ['fsck', '--connectivity-only'])).exitCode).toBe(0);
});

test('maxAge spares the question, a hint brings it back', async () => {
  await using it = fixture();
  const manager = it.manager({ maxAge: '1h' });
  const first = await manager.checkout({ repo: it.origin, ref: 'main' });
  const newer = it.push({ 'n.txt': 'n\n' });
  expect((await manager.checkout({ repo: it.origin, ref: 'main' })).base).toBe(first.base);
  await manager.hint(it.origin);
  expect((await manager.checkout({ repo: it.origin, ref: 'main' })).base).toBe(newer);
});

test('checkouts that come within askInterval of a question wait, and share the next one', async () => {
  await using it = fixture();
  const { manager, asked, clock, waitsFor } = paced(it);
  await manager.checkout({ repo: it.origin, ref: 'main' });
  asked.length = 0;
  await clock.advance(1000);
  const newer = it.push({ 'n.txt': 'n\n' });
  const waiting = [1, 2, 3].map(() => manager.checkout({ repo: it.origin, ref: 'main' }));
  await waitsFor(39_000);
  expect(asked).toEqual([]);
  await clock.advance(39_000);
  const bases = (await Promise.all(waiting)).map(({ base }) => base);
  expect(bases).toEqual([newer, newer, newer]);
  expect(asked.sort()).toEqual(['fetch', 'probe', 'shared', 'shared']);
});

test('a commit as careless tools made them once is fetched all the same', async () => {
  await using it = fixture();
  const tree = git(it.origin, 'rev-parse', 'main^{tree}');
  const [author, committer] = ['author A <a@b.c> 1 +0000', 'committer A <a@b.c> 99999999999999999999 +0000'];
  writeFileSync(join(it.folder, 'old'), `tree ${tree}\n${author}\n${committer}\n\nOld\n`);
  const old = git(it.origin, 'hash-object', '-t', 'commit', '-w', '--literally', join(it.folder, 'old'));
  git(it.origin, 'update-ref', 'refs/heads/old', old);
  expect((await it.manager().checkout({ repo: it.origin, ref: 'old' })).base).toBe(old);
});

test('a question that is under way is no answer for who comes later', async () => {
  await using it = fixture();
  const answers: (() => void)[] = [];
  let holds = false;
  const aroundFetch = async <T>(work: () => Promise<T>): Promise<T> => {
    const answer = await work();
    if (holds) await new Promise<void>((resolve) => answers.push(resolve));
    return answer;
  };
  const manager = it.manager({ instrumentation: { aroundFetch } });
  const old = await manager.checkout({ repo: it.origin, ref: 'main' });
  holds = true;
  const first = manager.checkout({ repo: it.origin, ref: 'main' });
  await waitFor(() => answers.length === 1);
  holds = false;
  const newer = it.push({ 'n.txt': 'n\n' });
  const second = manager.checkout({ repo: it.origin, ref: 'main', leaseId: 'second' });
  await waitFor(() => existsSync(join(it.root, 'leases', 'second.json')));
  for (const answer of answers) setTimeout(answer, 20);
  expect([(await first).base, (await second).base]).toEqual([old.base, newer]);
});

test('a checkout that waits for its turn to ask can be given up', async () => {
  await using it = fixture();
  const { manager, clock, waitsFor } = paced(it);
  await manager.checkout({ repo: it.origin, ref: 'main' });
  await clock.advance(1000);
  const giveUp = new AbortController();
  const waiting = manager.checkout({ repo: it.origin, ref: 'main', signal: giveUp.signal });
  const patient = manager.checkout({ repo: it.origin, ref: 'main' });
  await waitsFor(39_000);
  giveUp.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await clock.advance(39_000);
  expect((await patient).base).toBe(git(it.origin, 'rev-parse', 'main'));
});

test("a checkout that waits for its turn to ask about one ref is in nobody's way at another", async () => {
  await using it = fixture();
  const { manager, clock, waitsFor } = paced(it);
  await manager.checkout({ repo: it.origin, ref: 'main' });
  await clock.advance(1000);
  const waiting = manager.checkout({ repo: it.origin, ref: 'main' });
  await waitsFor(39_000);
  git(it.origin, 'branch', 'other');
  expect((await manager.checkout({ repo: it.origin, ref: 'other' })).base).toBe(git(it.origin, 'rev-parse', 'main'));
  await clock.advance(39_000);
  await waiting;
});

test('a question of another process that came too early for one postpones its turn', async () => {
  await using it = fixture();
  const { manager, clock, waitsFor } = paced(it);
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let answered = false;
  const aroundFetch = async <T>(work: () => Promise<T>): Promise<T> => {
    const answer = await work();
    answered = true;
    await held;
    return answer;
  };
  const other = it.manager({ clock, askInterval: '1m', instrumentation: { aroundFetch } });
  await manager.checkout({ repo: it.origin, ref: 'main' });
  await clock.advance(60_000);
  const first = other.checkout({ repo: it.origin, ref: 'main' });
  await waitFor(() => answered);
  await clock.advance(20_000);
  const newer = it.push({ 'n.txt': 'n\n' });
  const second = manager.checkout({ repo: it.origin, ref: 'main', leaseId: 'second' });
  await waitFor(() => existsSync(join(it.root, 'leases', 'second.json')));
  setTimeout(release, 20);
  await first;
  await waitsFor(40_000);
  await clock.advance(40_000);
  expect((await second).base).toBe(newer);
});

test('a remote that answers fast may be asked again after three times as long', async () => {
  await using it = fixture();
  const { manager, asked, clock, waitsFor } = paced(it, 100);
  await manager.checkout({ repo: it.origin, ref: 'main' });
  const second = manager.checkout({ repo: it.origin, ref: 'main' });
  await waitsFor(200);
  asked.length = 0;
  await clock.advance(200);
  await second;
  expect(asked).toEqual(['probe']);
});

test('the answer to a question that was under way counts as far as maxAge allows', async () => {
  await using it = fixture();
  const { manager, asked, clock, waitsFor } = paced(it);
  await manager.checkout({ repo: it.origin, ref: 'main' });
  asked.length = 0;
  await clock.advance(20_000);
  const first = manager.checkout({ repo: it.origin, ref: 'main' });
  await waitsFor(20_000);
  await clock.advance(20_500);
  const second = manager.checkout({ repo: it.origin, ref: 'main', maxAge: '30s' });
  await Promise.all([first, second]);
  expect(asked).toEqual(['probe', 'shared']);
});

test('twenty processes that want the same new commit make one fetch, and none fails', async () => {
  await using it = fixture();
  await using server = await startGitServer();
  const repo = await server.createRepo('x.git', it.origin);
  await it.manager(http).prefetch(repo);
  const next = it.push({ 'next.txt': 'next\n' });
  git(it.author, 'push', '--quiet', join(server.root, 'x.git'), 'HEAD:refs/heads/main');
  const before = server.requests.length;
  const child = join(import.meta.dirname, 'support/checkout-child.ts');
  const run = (): Promise<number | null> =>
    new Promise((resolve) => {
      const args = ['--conditions=@millrace/source', '--import', 'tsx', child, it.root, repo, next];
      spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }).once('exit', resolve);
    });
  const codes = await Promise.all(Array.from({ length: 20 }, run));
  expect(codes).toEqual(Array.from({ length: 20 }, () => 0));
  const packs = server.requests
    .slice(before)
    .filter(({ method, url }) => method === 'POST' && url.endsWith('git-upload-pack'));
  // One fetch by protocol version 2 is two POSTs: the refs, then the pack.
  expect(packs.length).toBeLessThanOrEqual(2);
  expect(packs.length).toBeGreaterThan(0);
}, 120_000);

test('a forced push moves the next checkout and leaves the earlier workspace whole', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['clone'] });
  const old = await manager.checkout({ repo: it.origin, branch: 'agent/1' });
  git(it.author, 'checkout', '--quiet', '--orphan', 'other');
  const forced = it.push({ 'other.txt': 'other\n' });
  const next = await manager.checkout({ repo: it.origin });
  expect(next.base).toBe(forced);
  await manager.prefetch(it.origin);
  expect((await old.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
  expect((await old.exec('git', ['cat-file', '-t', old.base])).stdout).toBe('commit\n');
});

test('a branch that became a folder of branches', async () => {
  await using it = fixture();
  const manager = it.manager();
  it.push({ 'x.txt': '1\n' }, 'topic');
  await manager.checkout({ repo: it.origin, ref: 'topic' });
  git(it.origin, 'update-ref', '-d', 'refs/heads/topic');
  const deep = it.push({ 'x.txt': '2\n' }, 'topic/deep');
  expect((await manager.checkout({ repo: it.origin, ref: 'topic/deep' })).base).toBe(deep);
});

test('tags, annotated too, and full names', async () => {
  await using it = fixture();
  git(it.author, 'tag', '-a', 'v1', '-m', 'one');
  git(it.author, 'push', '--quiet', 'origin', 'v1');
  const manager = it.manager();
  const head = git(it.author, 'rev-parse', 'HEAD');
  expect((await manager.checkout({ repo: it.origin, ref: 'v1' })).base).toBe(head);
  expect((await manager.checkout({ repo: it.origin, ref: 'refs/tags/v1' })).base).toBe(head);
  expect(await manager.resolve({ repo: it.origin, ref: 'main' })).toEqual({ sha: head });
});

test('sparse: only the cone is on disk, status is clean, a commit keeps the rest', async () => {
  await using it = fixture({ 'top.txt': 't\n', 'a/b/c.txt': 'c\n', 'a/x.txt': 'x\n', 'z/y.txt': 'y\n' });
  for (const [strategy, manager] of [
    ['best', it.manager()],
    ['clone', it.manager({ strategies: ['clone'] })],
  ] as const) {
    await using workspace = await manager.checkout({ repo: it.origin, branch: `s/${strategy}`, sparse: ['a/b'] });
    expect(existsSync(join(workspace.path, 'z'))).toBe(false);
    expect(readdirSync(join(workspace.path, 'a')).sort()).toEqual(['b', 'x.txt']);
    expect((await workspace.status()).clean).toBe(true);
    writeFileSync(join(workspace.path, 'a/b/c.txt'), 'changed\n');
    await workspace.commitAll('Change');
    expect((await workspace.exec('git', ['status', '--porcelain'])).stdout).toBe('');
    expect(await workspace.diff({ format: 'name-status' })).toBe('M\ta/b/c.txt\n');
    await workspace.push();
    expect(git(it.origin, 'ls-tree', '-r', '--name-only', `s/${strategy}`)).toContain('z/y.txt');
  }
});

test('SHA-256, bundles, Unicode and very long paths', async () => {
  await using it = fixture();
  const long = `${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(120)}.txt`;
  it.push({ [long]: 'long\n', 'ünï/日本語 😀.txt': 'u\n' });
  const bundle = join(it.folder, 'x.bundle');
  git(it.author, 'bundle', 'create', '--quiet', bundle, '--all');
  const manager = it.manager();
  await using fromBundle = await manager.checkout({ repo: bundle, ref: 'main' });
  expect(readFileSync(join(fromBundle.path, long), 'utf8')).toBe('long\n');
  writeFileSync(join(fromBundle.path, 'ünï/日本語 😀.txt'), 'changed\n');
  expect((await fromBundle.status()).entries).toEqual([{ path: 'ünï/日本語 😀.txt', change: 'modified' }]);
  const modern = join(it.folder, 'sha256');
  git(it.folder, 'init', '--quiet', '--object-format=sha256', '--initial-branch=main', modern);
  writeFileSync(join(modern, 'f.txt'), 'f\n');
  git(modern, 'add', '--all');
  git(modern, 'commit', '--quiet', '-m', 'f');
  await using workspace = await manager.checkout({ repo: modern, branch: 'agent/1' });
  expect(workspace.base).toHaveLength(64);
  writeFileSync(join(workspace.path, 'f.txt'), 'g\n');
  await workspace.commitAll('g');
  expect((await workspace.push()).status).toBe('pushed');
  expect((await workspace.exec('git', ['status', '--porcelain'])).stdout).toBe('');
});

test('a partial mirror fetches the contents of a checkout in one go; sparse takes only its cone', async () => {
  await using it = fixture({ 'a/1.txt': '1\n', 'b/2.txt': '2\n', 'top.txt': 't\n' });
  await using server = await startGitServer();
  const repo = await server.createRepo('x.git', it.origin);
  const manager = it.manager(http);
  await using sparse = await manager.checkout({ repo, partial: true, sparse: ['a'], strategy: 'clone' });
  expect(readdirSync(sparse.path).sort()).toEqual(['.git', 'a', 'top.txt']);
  await using whole = await manager.checkout({ repo, partial: true, strategy: 'clone' });
  expect(readFileSync(join(whole.path, 'b/2.txt'), 'utf8')).toBe('2\n');
  expect((await manager.inspect()).mirrors).toMatchObject([{ partial: true }]);
});

test('a shallow upstream', async () => {
  await using it = fixture();
  it.push({ 'second.txt': '2\n' });
  const shallow = join(it.folder, 'shallow.git');
  git(it.folder, 'clone', '--quiet', '--bare', '--depth=1', `file://${it.origin}`, shallow);
  await using workspace = await it.manager().checkout({ repo: shallow, branch: 'agent/1' });
  expect((await workspace.exec('git', ['log', '--oneline'])).stdout.trim().split('\n')).toHaveLength(1);
  expect((await workspace.status()).clean).toBe(true);
});

test('a second address is tried when the first can not be reached', async () => {
  await using it = fixture();
  await using server = await startGitServer();
  const repo = await server.createRepo('x.git', it.origin);
  const dead = 'http://127.0.0.1:1/x.git';
  await using workspace = await it.manager(http).checkout({ repo: dead, remotes: [repo] });
  expect((await workspace.status()).clean).toBe(true);
});

test('a corrupt mirror is replaced by a new generation without failing the checkout', async () => {
  await using it = fixture();
  const healed: number[] = [];
  const manager = it.manager({
    strategies: ['clone'],
    instrumentation: { onHealed: ({ generation }) => healed.push(generation) },
  });
  const first = await manager.checkout({ repo: it.origin });
  const mirror = join(it.root, 'mirrors', readdirSync(join(it.root, 'mirrors'))[0] as string, 'generation-1.git');
  const blob = git(it.author, 'rev-parse', 'HEAD:src/a.txt');
  breakObject(mirror, blob);
  await using second = await manager.checkout({ repo: it.origin, ref: first.base, branch: 'agent/1' });
  expect(healed).toEqual([2]);
  expect(readFileSync(join(second.path, 'src/a.txt'), 'utf8')).toBe('a\n');
});

function breakObject(mirror: string, id: string): void {
  const pack = readdirSync(join(mirror, 'objects/pack')).find((name) => name.endsWith('.pack'));
  const path = join(mirror, 'objects/pack', pack as string);
  const bytes = readFileSync(path);
  git(mirror, '--git-dir=.', 'cat-file', '-e', id);
  // The second half of the pack becomes noise; its checksum at the end stays.
  bytes.fill(0xff, 12 + Math.floor(bytes.length / 4), bytes.length - 20);
  chmodSync(path, 0o644);
  writeFileSync(path, bytes);
}
