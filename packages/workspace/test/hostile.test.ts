import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RefusedByPolicyError, Workspace } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';

async function refusal(work: Promise<unknown>): Promise<RefusedByPolicyError> {
  const error = await work.then(
    () => expect.unreachable('it should have been refused'),
    (reason: unknown) => reason as RefusedByPolicyError,
  );
  expect(error.code, error.message).toBe('ERR_WORKSPACE_REFUSED');
  return error;
}

/** Everything the host does with a workspace. */
async function useOnHost(workspace: Workspace): Promise<void> {
  await workspace.status();
  await workspace.diff();
  await workspace.commitAll('Host commit');
  await workspace.push();
}

async function agentAt(it: Fixture): Promise<Workspace> {
  return await it
    .manager()
    .checkout({ repo: it.origin, branch: 'agent/1', identity: { name: 'A', email: 'a@example.org' } });
}

describe('what an agent plants in its workspace does not run on the host', () => {
  test.each([
    [
      'hooks',
      'for h in pre-commit post-commit pre-push post-index-change reference-transaction; do mkdir -p .git/hooks; printf "#!/bin/sh\\ntouch $MARK\\n" > .git/hooks/$h; chmod +x .git/hooks/$h; done',
    ],
    [
      'hooksPath',
      'mkdir h; printf "#!/bin/sh\\ntouch $MARK\\n" > h/pre-push; chmod +x h/pre-push; git config core.hooksPath "$PWD/h"',
    ],
    ['fsmonitor', 'git config core.fsmonitor "touch $MARK; false"'],
    [
      'clean and smudge filters',
      'git config filter.x.clean "touch $MARK; cat"; git config filter.x.smudge "touch $MARK; cat"; echo "* filter=x" > .gitattributes',
    ],
    [
      'textconv and external diff',
      'git config diff.x.textconv "touch $MARK; cat"; git config diff.external "touch $MARK"; echo "* diff=x" > .gitattributes',
    ],
    [
      'sshCommand and insteadOf',
      'git config core.sshCommand "touch $MARK"; git config url."ext::touch $MARK #".insteadOf /; git config remote.origin.uploadpack "touch $MARK"',
    ],
    [
      'pager, editor, askpass, credential helper',
      'for k in core.pager core.editor core.askPass credential.helper gpg.program sequence.editor; do git config $k "!touch $MARK"; done',
    ],
    ['alternate refs command', 'git config core.alternateRefsCommand "touch $MARK"'],
    [
      'nested repository with a monitor',
      'mkdir sub && cd sub && git init -q && echo x > x && git add x && git -c user.name=a -c user.email=a@b commit -qm x && git config core.fsmonitor "touch $MARK; false"',
    ],
    ['worktree of another place', 'git config core.worktree /etc'],
  ])('%s', async (_name, script) => {
    await using it = fixture();
    await using workspace = await agentAt(it);
    const mark = join(it.folder, 'mark');
    const { exitCode, stderr } = await workspace.exec('sh', ['-ec', `${script}`], { env: { MARK: mark } });
    expect(exitCode, stderr).toBe(0);
    writeFileSync(join(workspace.path, 'work.txt'), 'work\n');
    // The planting itself may have run it on the agent's side.
    await workspace.exec('rm', ['-f', mark]);
    await useOnHost(workspace).catch((error: unknown) =>
      expect((error as RefusedByPolicyError).code).toBe('ERR_WORKSPACE_REFUSED'),
    );
    expect(existsSync(mark)).toBe(false);
  });

  test('a pool member or a template can not be reached through the index', async () => {
    await using it = fixture();
    await using first = await agentAt(it);
    writeFileSync(join(first.path, 'src/a.txt'), 'changed\n');
    await using second = await it.manager().checkout({ repo: it.origin, ref: first.base });
    expect((await second.exec('cat', ['src/a.txt'])).stdout).toBe('a\n');
  });
});

describe('what an agent made is refused before it leaves', () => {
  test.each([
    ['a .git folder replaced by a link', 'mv .git ../elsewhere && ln -s ../elsewhere .git', 'git-dir-link'],
    [
      'an object store that is a link',
      'mv .git/objects ../objects && ln -s ../../objects .git/objects && git commit -q --allow-empty -m x',
      'git-dir-link',
    ],
    ['a link out of the tree', 'ln -s /etc/passwd leak', 'outside-symlink'],
    ['a link up and out', 'mkdir d && ln -s ../../x d/leak', 'outside-symlink'],
    [
      'history that does not descend from the base',
      'git checkout -q --orphan o && git commit -qm o && git branch -f agent/1 && git checkout -q agent/1',
      'base',
    ],
    [
      'a forbidden path, also when a later commit takes it back',
      'mkdir -p .github/workflows && echo x > .github/workflows/x.yml && git add -A && git commit -qm a && git rm -rq .github && git commit -qm b',
      'forbidden-path',
    ],
    ['a file that is too large', 'dd if=/dev/zero of=big bs=1M count=3 2>/dev/null', 'file-size'],
    [
      'a tree with a .GIT',
      'b=$(echo x | git hash-object -w --stdin); t=$(printf "100644 blob $b\\tconfig\\n" | git mktree); r=$(printf "040000 tree $t\\t.GIT\\n" | git mktree); c=$(git commit-tree $r -p HEAD -m x); git update-ref HEAD $c',
      'hostile-content',
    ],
    [
      'a commit whose objects are not there',
      'echo deadbeefdeadbeefdeadbeefdeadbeefdeadbeef > .git/refs/heads/agent/1',
      'history',
    ],
  ])('%s', async (_name, script, rule) => {
    await using it = fixture();
    const rules = { forbiddenPaths: ['.github/'], maxFileBytes: 2 * 1024 * 1024 };
    const manager = it.manager({ rules });
    await using workspace = await manager.checkout({
      repo: it.origin,
      branch: 'agent/1',
      identity: { name: 'A', email: 'a@example.org' },
    });
    const { exitCode, stderr } = await workspace.exec('sh', ['-ec', script]);
    expect(exitCode, stderr).toBe(0);
    expect((await refusal(useOnHost(workspace))).rule).toBe(rule);
    expect(git(it.origin, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main');
  });

  test("alternates that point at another tenant's objects bring nothing of it out", async () => {
    await using it = fixture();
    await using other = fixture({ 'private.txt': 'the other tenant\n' });
    const secret = git(other.author, 'rev-parse', 'HEAD');
    await using workspace = await agentAt(it);
    writeFileSync(join(workspace.path, '.git/objects/info/alternates'), `${join(other.author, '.git/objects')}\n`);
    writeFileSync(join(workspace.path, '.git/refs/heads/agent/1'), `${secret}\n`);
    expect((await refusal(workspace.push())).rule).toBe('history');
    await expect(workspace.bundle({ path: join(it.folder, 'out.bundle') })).rejects.toMatchObject({
      code: 'ERR_WORKSPACE_REFUSED',
    });
    expect(existsSync(join(it.folder, 'out.bundle'))).toBe(false);
  });
});

describe('a hostile repository', () => {
  test('submodules and filters are neither fetched nor run', async () => {
    await using it = fixture();
    const mark = join(it.folder, 'mark');
    it.push({
      '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::touch ${mark}\n`,
      '.gitattributes': '* filter=evil diff=evil\n',
    });
    const work = it.manager().checkout({ repo: it.origin, branch: 'agent/1' });
    const outcome = await work.catch((error: unknown) => error as RefusedByPolicyError);
    if ('code' in outcome) expect(outcome.code).toBe('ERR_WORKSPACE_REFUSED');
    expect(existsSync(mark)).toBe(false);
  });

  test('a tree that would write into .git is refused at the fetch', async () => {
    await using it = fixture();
    const blob = git(it.author, 'rev-parse', 'HEAD:readme.md');
    git(it.author, 'config', 'core.protectNTFS', 'false');
    git(it.author, 'config', 'core.protectHFS', 'false');
    git(it.author, 'update-index', '--add', '--cacheinfo', `100644,${blob},git~1`);
    git(it.author, 'commit', '--quiet', '-m', 'evil');
    git(it.author, 'push', '--quiet', 'origin', 'HEAD:refs/heads/main');
    expect((await refusal(it.manager().checkout({ repo: it.origin }))).rule).toBe('hostile-content');
  });

  test('a link in the tree is written as a link and never written through', async () => {
    await using it = fixture();
    symlinkSync('/etc/hostname', join(it.author, 'link'));
    it.push({});
    await using workspace = await it.manager().checkout({ repo: it.origin, branch: 'agent/1', strategy: 'clone' });
    expect((await workspace.exec('readlink', ['link'])).stdout).toBe('/etc/hostname\n');
    expect((await workspace.status()).clean).toBe(true);
  });
});
