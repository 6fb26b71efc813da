import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';
import { git, runBranches } from './support/origin.ts';

let orchestrator: TestOrchestrator;
beforeAll(async () => {
  orchestrator = await startTestOrchestrator();
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

const command = (text: string) => ({ type: 'command' as const, command: text });

async function finished(id: string) {
  return await waitFor(
    async () => {
      const run = await orchestrator.client.get(id);
      return run.finishedAt ? run : undefined;
    },
    { timeout: 30_000 },
  );
}

async function post(body: unknown, headers: Record<string, string> = {}, raw?: string) {
  const response = await fetch(`${orchestrator.url}/v1/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID(), ...headers },
    body: raw ?? JSON.stringify(body),
  });
  const text = await response.text();
  return { response, body: JSON.parse(text) as Record<string, unknown> };
}

describe('a run', () => {
  test('goes from request to branch: state, logs, diff, commit', async () => {
    const { client, origin } = orchestrator;
    const run = await client.submit({
      repo: origin,
      ref: 'main',
      agent: command('echo hello; echo two > two.txt; echo "export const one = 2;" > src/index.js'),
      message: 'Count to two',
    });
    expect(run).toMatchObject({ state: 'queued', branch: null, attempt: 0 });

    const events = [];
    for await (const event of client.events(run.id)) events.push(event);
    const states = events.flatMap((event) => (event.kind === 'state' ? [event.data.state] : []));
    expect(states).toEqual(['queued', 'admitted', 'preparing', 'running', 'collecting', 'pushing', 'succeeded']);
    const lines = events.flatMap((event) => (event.kind === 'log' ? event.data.lines : []));
    expect(lines.map((line) => line.seq)).toEqual(lines.map((_, index) => index + 1));
    expect(lines.filter((line) => line.stream === 'stdout').map((line) => line.text)).toEqual(['hello']);

    const done = await client.get(run.id);
    expect(done).toMatchObject({
      state: 'succeeded',
      attempt: 1,
      exitCode: 0,
      branch: `millrace/${run.id}`,
      diffStat: { filesChanged: 2, insertions: 2, deletions: 1 },
      baseSha: await git(origin, 'rev-parse', 'main'),
    });
    expect((await runBranches(origin)).get(`millrace/${run.id}`)).toBe(done.commitSha);
    expect(await git(origin, 'log', '--format=%s', `main..millrace/${run.id}`)).toBe('Count to two');
    expect(await client.diff(run.id)).toContain('+export const one = 2;');
  });

  test('of an agent that changes nothing succeeds without a branch', async () => {
    const run = await orchestrator.client.submit({ repo: orchestrator.origin, agent: command('true') });
    expect(await finished(run.id)).toMatchObject({
      state: 'succeeded',
      branch: null,
      commitSha: null,
      diffStat: { filesChanged: 0 },
    });
    expect((await runBranches(orchestrator.origin)).has(`millrace/${run.id}`)).toBe(false);
    expect(await orchestrator.client.diff(run.id)).toBe('');
  });

  test('of an agent that fails has failed, says why, and pushes nothing', async () => {
    const run = await orchestrator.client.submit({
      repo: orchestrator.origin,
      agent: command('echo broken >&2; echo x > x; exit 3'),
    });
    expect(await finished(run.id)).toMatchObject({
      state: 'failed',
      exitCode: 3,
      branch: null,
      error: { code: 'ERR_AGENT_FAILED', message: 'The agent exited with 3; its log tells why.' },
    });
    expect((await runBranches(orchestrator.origin)).has(`millrace/${run.id}`)).toBe(false);
  });

  test('of an agent that takes too long has failed', async () => {
    const run = await orchestrator.client.submit({
      repo: orchestrator.origin,
      agent: command('sleep 300'),
      timeout: '200ms',
    });
    expect(await finished(run.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_AGENT_TIMEOUT' } });
  });

  test('whose directory is a link out of the workspace has failed', async () => {
    const { client, origin, directory } = orchestrator;
    const work = join(directory, 'origin-work');
    await git(work, 'switch', '--quiet', '-c', 'link');
    await git(
      work,
      '-c',
      'core.symlinks=true',
      'update-index',
      '--add',
      '--cacheinfo',
      `120000,${await blob(work, '/etc')},out`,
    );
    await git(work, '-c', 'user.name=T', '-c', 'user.email=t@t', 'commit', '--quiet', '-m', 'Link out');
    await git(work, 'push', '--quiet', origin, 'link');
    const run = await client.submit({ repo: origin, ref: 'link', agent: { ...command('pwd'), directory: 'out' } });
    expect(await finished(run.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_PATH_OUTSIDE_WORKSPACE' } });
  });

  test('opens the pull request that it was asked for', async () => {
    const { client, origin } = orchestrator;
    const submit = () =>
      client.submit({ repo: origin, agent: command('echo 3 > three.txt'), pullRequest: { title: 'Three' } });
    const numbers = [];
    for (const run of [await submit(), await submit()]) numbers.push((await finished(run.id)).pullRequest?.number);
    expect(numbers.sort()).toEqual([1, 2]);
  });

  test('leaves no workspace and no scratch folder behind', async () => {
    const run = await orchestrator.client.submit({ repo: orchestrator.origin, agent: command('echo $HOME; touch x') });
    await finished(run.id);
    await waitFor(async () => {
      const scratch = await readdir(join(orchestrator.directory, 'data', 'scratch')).catch(() => []);
      return scratch.filter((name) => name.startsWith(run.id)).length === 0;
    });
  });
});

async function blob(work: string, text: string): Promise<string> {
  const file = join(work, '..', 'blob.txt');
  await writeFile(file, text);
  return await git(work, 'hash-object', '-w', file);
}

/** Processes of a group that still run; a zombie runs no more. */
async function groupMembers(group: number): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pgid=,stat=,args=']);
  return stdout
    .split('\n')
    .filter((line) => Number(line.trim().split(/\s+/)[0]) === group && !/^\s*\d+\s+Z/.test(line));
}

describe('cancel', () => {
  test('stops a running agent and its children within two seconds', async () => {
    const { client, origin } = orchestrator;
    const run = await client.submit({ repo: origin, agent: command('echo pid $$; sleep 300 & wait') });
    const line = await waitFor(async () => {
      const response = await fetch(`${orchestrator.url}/v1/runs/${run.id}/logs`);
      const { lines } = (await response.json()) as { lines: { text: string }[] };
      return lines.find((entry) => entry.text.startsWith('pid '));
    });
    const pid = Number(line.text.slice(4));
    await client.cancel(run.id);
    expect(await finished(run.id)).toMatchObject({ state: 'cancelled', branch: null });
    expect(await groupMembers(pid)).toEqual([]);
    expect(await client.cancel(run.id)).toMatchObject({ state: 'cancelled' });
  });

  test('comes too late for a run that ended', async () => {
    const run = await orchestrator.client.submit({ repo: orchestrator.origin, agent: command('true') });
    await finished(run.id);
    await expect(orchestrator.client.cancel(run.id)).rejects.toMatchObject({ status: 409, code: 'ERR_RUN_FINISHED' });
  });
});

describe('the same key', () => {
  test('sent again is refused with the id of the first run, or answered like it where asked for', async () => {
    const body = { repo: orchestrator.origin, agent: command('true') };
    const headers = { 'idempotency-key': randomUUID() };
    const first = await post(body, headers);
    expect(first.response.status).toBe(202);
    expect(first.response.headers.get('location')).toBe(`/v1/runs/${first.body.id}`);

    const second = await post(body, headers);
    expect(second.response.status).toBe(409);
    expect(second.body).toMatchObject({ code: 'ERR_IDEMPOTENCY_DUPLICATE', runId: first.body.id });

    const replay = await post(body, { ...headers, prefer: 'duplicate=replay' });
    expect(replay.response.status).toBe(202);
    expect(replay.response.headers.get('idempotent-replayed')).toBe('true');
    expect(replay.body.id).toBe(first.body.id);
  });

  test('sent by many at once starts one run', async () => {
    const body = { repo: orchestrator.origin, agent: command('true'), message: randomUUID() };
    const headers = { 'idempotency-key': randomUUID(), prefer: 'duplicate=replay' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(body, headers)));
    const ids = new Set(answers.map((answer) => answer.body.id).filter(Boolean));
    expect(ids.size).toBe(1);
    for (const { response } of answers) expect([202, 409]).toContain(response.status);
  });

  test('with another body is refused', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    await post({ repo: orchestrator.origin, agent: command('true') }, headers);
    const other = await post({ repo: orchestrator.origin, agent: command('false') }, headers);
    expect(other.response.status).toBe(422);
    expect(other.body.code).toBe('ERR_IDEMPOTENCY_MISMATCH');
  });
});

describe('bad input is answered with a problem that has a stable code', () => {
  const valid = () => ({ repo: orchestrator.origin, agent: command('true') });
  const refused = async (expected: { status: number; code: string }, answer: Awaited<ReturnType<typeof post>>) => {
    expect(answer.body).toMatchObject(expected);
    expect(answer.response.status).toBe(expected.status);
    expect(answer.response.headers.get('content-type')).toBe('application/problem+json');
    expect(String(answer.body.detail).length).toBeGreaterThan(10);
  };

  test('malformed JSON', async () => {
    await refused({ status: 400, code: 'ERR_MALFORMED_JSON' }, await post(null, {}, '{"repo": '));
  });
  test('another media type', async () => {
    await refused(
      { status: 415, code: 'ERR_UNSUPPORTED_MEDIA_TYPE' },
      await post(valid(), { 'content-type': 'text/plain' }),
    );
  });
  test('a body that is too large', async () => {
    const body = { ...valid(), message: 'x'.repeat(1_100_000) };
    await refused({ status: 413, code: 'ERR_BODY_TOO_LARGE' }, await post(body));
  });
  test('no key', async () => {
    await refused({ status: 400, code: 'ERR_IDEMPOTENCY_KEY_MISSING' }, await post(valid(), { 'idempotency-key': '' }));
  });
  test('a malformed key', async () => {
    const key = 'x'.repeat(300);
    await refused(
      { status: 400, code: 'ERR_IDEMPOTENCY_KEY_INVALID' },
      await post(valid(), { 'idempotency-key': key }),
    );
  });
  test('an unknown agent', async () => {
    await refused({ status: 422, code: 'ERR_UNKNOWN_AGENT' }, await post({ ...valid(), agent: { type: 'wizard' } }));
  });
  test('a field that does not exist, and one that is missing', async () => {
    await refused({ status: 422, code: 'ERR_INVALID_REQUEST' }, await post({ ...valid(), colour: 'red' }));
    await refused({ status: 422, code: 'ERR_INVALID_REQUEST' }, await post({ agent: command('true') }));
  });
  test('a directory outside the workspace', async () => {
    for (const directory of ['../../etc', '/etc', 'a/../../b']) {
      const answer = await post({ ...valid(), agent: { ...command('true'), directory } });
      await refused({ status: 422, code: 'ERR_PATH_OUTSIDE_WORKSPACE' }, answer);
    }
  });
  test('a repository that is not there', async () => {
    await refused({ status: 422, code: 'ERR_REPO_NOT_FOUND' }, await post({ ...valid(), repo: '/no/such/repo.git' }));
  });
  test('a folder that is no repository', async () => {
    const answer = await post({ ...valid(), repo: join(orchestrator.directory, 'data') });
    await refused({ status: 422, code: 'ERR_REPO_NOT_FOUND' }, answer);
  });
  test('a host that does not answer', async () => {
    const answer = await post({ ...valid(), repo: 'http://127.0.0.1:1/team/app.git' });
    await refused({ status: 422, code: 'ERR_REPO_UNREACHABLE' }, answer);
  });
  test('a protocol that is not allowed, or no address at all', async () => {
    await refused({ status: 422, code: 'ERR_REPO_NOT_ALLOWED' }, await post({ ...valid(), repo: 'ext::sh -c id' }));
    await refused({ status: 422, code: 'ERR_REPO_NOT_ALLOWED' }, await post({ ...valid(), repo: '--upload-pack=id' }));
    await refused({ status: 422, code: 'ERR_REPO_NOT_ALLOWED' }, await post({ ...valid(), repo: 'relative/path' }));
  });
  test('a password in the address', async () => {
    const answer = await post({ ...valid(), repo: 'http://me:secret@127.0.0.1:1/a.git' });
    await refused({ status: 422, code: 'ERR_REPO_CREDENTIALS' }, answer);
  });
  test('a ref that does not exist', async () => {
    await refused({ status: 422, code: 'ERR_REF_NOT_FOUND' }, await post({ ...valid(), ref: 'no-such-branch' }));
    await refused({ status: 422, code: 'ERR_REF_NOT_FOUND' }, await post({ ...valid(), ref: '--help' }));
  });
  test('a timeout that is none', async () => {
    await refused({ status: 422, code: 'ERR_INVALID_REQUEST' }, await post({ ...valid(), timeout: 'soon' }));
    await refused({ status: 422, code: 'ERR_INVALID_REQUEST' }, await post({ ...valid(), timeout: '400d' }));
  });

  test.each([
    ['/v1/runs/none', 404, 'ERR_RUN_NOT_FOUND'],
    ['/v1/runs/00000000-0000-7000-8000-000000000000', 404, 'ERR_RUN_NOT_FOUND'],
    ['/v1/runs/00000000-0000-7000-8000-000000000000/logs', 404, 'ERR_RUN_NOT_FOUND'],
    ['/v1/runs/00000000-0000-7000-8000-000000000000/diff', 404, 'ERR_RUN_NOT_FOUND'],
    ['/v1/runs/00000000-0000-7000-8000-000000000000/events', 404, 'ERR_RUN_NOT_FOUND'],
    ['/v1/runs?limit=0', 422, 'ERR_INVALID_REQUEST'],
    ['/v1/runs?cursor=nonsense', 422, 'ERR_INVALID_REQUEST'],
    ['/v1/nothing', 404, 'ERR_NOT_FOUND'],
  ])('GET %s', async (path, status, code) => {
    const response = await fetch(orchestrator.url + path);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, code });
  });

  test('nothing of it made a run, a job or a folder', async () => {
    const before = await listIds();
    for (const body of [
      { ...valid(), ref: 'no-such-branch' },
      { ...valid(), repo: '/no/such/repo.git' },
    ])
      await post(body);
    expect(await listIds()).toEqual(before);
    const roots = await readdir(join(orchestrator.directory, 'data', 'git', 'mirrors')).catch(() => []);
    expect(roots.length).toBeLessThanOrEqual(1);
  });
});

async function listIds(): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = cursor === '' ? '' : `&cursor=${cursor}`;
    const response = await fetch(`${orchestrator.url}/v1/runs?limit=3${query}`);
    const page = (await response.json()) as { runs: { id: string }[]; next: string | null };
    ids.push(...page.runs.map((run) => run.id));
    cursor = page.next;
  }
  return ids;
}

test('the list pages through every run once, newest first', async () => {
  const ids = await listIds();
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual([...ids].sort().reverse());
});

test('the API describes itself', async () => {
  const document = (await (await fetch(`${orchestrator.url}/openapi.json`)).json()) as {
    paths: Record<string, unknown>;
  };
  expect(Object.keys(document.paths).sort()).toEqual([
    '/v1/queue',
    '/v1/repos',
    '/v1/repos/{id}',
    '/v1/runs',
    '/v1/runs/{id}',
    '/v1/runs/{id}/artifacts',
    '/v1/runs/{id}/artifacts/{kind}',
    '/v1/runs/{id}/cancel',
    '/v1/runs/{id}/diff',
    '/v1/runs/{id}/events',
    '/v1/runs/{id}/logs',
    '/v1/runs/{id}/retry',
    '/v1/runs/{id}/why',
    '/v1/tasks',
    '/v1/tasks/{id}',
    '/v1/tasks/{id}/messages',
    '/v1/tasks/{id}/runs',
    '/v1/tenants/{tenant}',
    '/v1/tenants/{tenant}/keys',
    '/v1/tenants/{tenant}/keys/{id}',
    '/v1/tenants/{tenant}/usage',
    '/v1/workers',
    '/v1/workers/{id}/drain',
  ]);
});

test('a page of another host cannot reach a server on loopback', async () => {
  const { port } = new URL(orchestrator.url);
  const status = await new Promise((resolve) => {
    const call = request({ port, host: '127.0.0.1', path: '/v1/runs', headers: { host: `evil.example:${port}` } });
    call.once('response', (response) => resolve(response.statusCode)).end();
  });
  expect(status).toBe(421);
});

test('health and metrics answer', async () => {
  expect((await fetch(`${orchestrator.url}/livez`)).status).toBe(200);
  expect((await fetch(`${orchestrator.url}/readyz`)).status).toBe(200);
  const metrics = await (await fetch(`${orchestrator.url}/metrics`)).text();
  expect(metrics).toMatch(/^millrace_runs_finished_total\{outcome="succeeded"\} [1-9]/m);
  expect(metrics).toMatch(/^millrace_run_phase_seconds_count\{phase="agent"\} [1-9]/m);
  expect(metrics).toMatch(/^millrace_runs_active\{state="queued"\} /m);
  expect(metrics).toMatch(/^millrace_queue_[a-z_]+\{.*queue="runs"/m);
});
