import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NewTask, Run } from '../src/client/client.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';
import { git, makeOrigin, runBranches } from './support/origin.ts';

let orchestrator: TestOrchestrator;
beforeAll(async () => {
  orchestrator = await startTestOrchestrator({ ANTHROPIC_API_KEY: 'unused' });
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

const command = (text: string) => ({ type: 'command', command: text }) as const;
const someTask = (): NewTask => ({
  repo: orchestrator.origin,
  prompt: 'Add a file.\nAny file.',
  agents: [command('echo a > a.txt'), command('echo b > b.txt'), command('exit 3')],
});

async function ended(id: string): Promise<Run> {
  return await waitFor(
    async () => {
      const run = await orchestrator.client.get(id);
      return run.finishedAt ? run : undefined;
    },
    { timeout: 30_000 },
  );
}

describe('a task', () => {
  test('is tried by several agents under one key, each on a branch of its own', async () => {
    const { client, origin } = orchestrator;
    const key = randomUUID();
    const { task, runs } = await client.submitTask(someTask(), { key });
    expect(task).toMatchObject({ title: 'Add a file.', prompt: 'Add a file.\nAny file.', repo: origin });
    expect(runs.map((run) => run.task)).toEqual([task.id, task.id, task.id]);
    const done = await Promise.all(runs.map(({ id }) => ended(id)));
    expect(done.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'failed']);
    expect(done[2]?.error).toMatchObject({ code: 'ERR_AGENT_FAILED', class: 'fatal' });
    const branches = await runBranches(origin);
    expect([branches.has(`millrace/${runs[0]?.id}`), branches.has(`millrace/${runs[1]?.id}`)]).toEqual([true, true]);

    const again = client.submitTask(someTask(), { key });
    await expect(again).rejects.toMatchObject({
      status: 409,
      problem: { taskId: task.id, runIds: runs.map(({ id }) => id) },
    });
    const replayed = await client.submitTask(someTask(), { key, replay: true });
    expect(replayed.runs.map(({ id }) => id)).toEqual(runs.map(({ id }) => id));
  });

  test('is made with all of its runs or not at all', async () => {
    const { client, origin } = orchestrator;
    const count = async () => (await client.api.GET('/v1/tasks')).data?.tasks.length;
    const before = await count();
    const agents = [command('true'), { type: 'codex', prompt: 'x' } as const];
    await expect(client.submitTask({ repo: origin, agents })).rejects.toMatchObject({
      status: 422,
      code: 'ERR_PROVIDER_NOT_CONFIGURED',
    });
    await expect(client.submitTask({ repo: origin, agents: [{ type: 'claude' }] })).rejects.toMatchObject({
      problem: { detail: expect.stringContaining('needs a prompt') },
    });
    expect(await count()).toBe(before);
  });

  test('takes further runs; the same request counts as the same intent, also without a key', async () => {
    const { client, origin } = orchestrator;
    const { task } = await client.submitTask({ repo: origin, prompt: 'Begin.' });
    const further = (text: string) =>
      client.api.POST('/v1/tasks/{id}/runs', {
        params: { path: { id: task.id } },
        body: { prompt: 'And now this.', agents: [command(text)] },
      });
    const [one, two] = await Promise.all([further('echo 1 > 1'), further('echo 1 > 1')]);
    expect([one.response.status, two.response.status].toSorted()).toEqual([202, 409]);
    expect((await further('echo 2 > 2')).response.status).toBe(202);
    const { data: listed } = await client.api.GET('/v1/runs', { params: { query: { task: task.id } } });
    expect(listed?.runs).toHaveLength(2);
    const { data: said } = await client.api.GET('/v1/tasks/{id}/messages', { params: { path: { id: task.id } } });
    expect(said?.messages.map(({ author, body }) => `${author}: ${body}`)).toEqual([
      'user: Begin.',
      'user: And now this.',
      'user: And now this.',
    ]);
    expect((await client.api.GET('/v1/tasks/{id}', { params: { path: { id: randomUUID() } } })).error).toMatchObject({
      code: 'ERR_TASK_NOT_FOUND',
    });
  });
});

test('lists go on page by page, without a gap or a repetition, whatever they are filtered by', async () => {
  const { client, directory } = orchestrator;
  const repo = await makeOrigin(directory, 'listed');
  const { runs } = await client.submitTask({ repo, agents: Array.from({ length: 7 }, (_, i) => command(`exit ${i}`)) });
  await Promise.all(runs.map(({ id }) => ended(id)));
  const { data } = await client.api.GET('/v1/repos', { params: { query: { limit: 200 } } });
  const repoId = data?.repos.find(({ url }) => url === repo)?.id ?? '';
  const walk = async (query: object) => {
    const ids: string[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = (
        await client.api.GET('/v1/runs', { params: { query: { limit: 2, ...query, ...(cursor && { cursor }) } } })
      ).data;
      ids.push(...(page?.runs ?? []).map(({ id }) => id));
      if (!page?.next) return ids;
      cursor = page.next;
    }
  };
  const newestFirst = runs.map(({ id }) => id).toReversed();
  expect((await walk({ repo: repoId })).toSorted()).toEqual(newestFirst.toSorted());
  expect(await walk({ repo: repoId, state: 'succeeded' })).toEqual([runs[0]?.id]);
  expect(await walk({ repo: repoId, agent: 'claude' })).toEqual([]);
  expect(await walk({ repo: repoId, agent: 'command', state: 'failed' })).toHaveLength(6);
});

test('a repository can be named before it is used, if it is there', async () => {
  const { client, directory } = orchestrator;
  const url = await makeOrigin(directory, 'named');
  const first = await client.api.POST('/v1/repos', { body: { url } });
  const second = await client.api.POST('/v1/repos', { body: { url } });
  expect(second.data).toEqual(first.data);
  const found = await client.api.GET('/v1/repos/{id}', { params: { path: { id: first.data?.id ?? '' } } });
  expect(found.data).toMatchObject({ url, forge: null });
  const wrong = await client.api.POST('/v1/repos', { body: { url: `${url}-not` } });
  expect(wrong.error).toMatchObject({ code: 'ERR_REPO_NOT_FOUND' });
});

test("a run's artifacts can be listed and read: its bundle holds its commit", async () => {
  const { client, origin, directory } = orchestrator;
  const { id } = await client.submit({ repo: origin, agent: command('echo kept > kept.txt') });
  const { commitSha } = await ended(id);
  const { data } = await client.api.GET('/v1/runs/{id}/artifacts', { params: { path: { id } } });
  expect(data?.artifacts.map(({ kind }) => kind)).toEqual(['bundle', 'diff']);
  const path = { id, kind: 'bundle' };
  const { data: bytes, response } = await client.api.GET('/v1/runs/{id}/artifacts/{kind}', {
    params: { path },
    parseAs: 'arrayBuffer',
  });
  expect(response.headers.get('content-length')).toBe(`${data?.artifacts[0]?.size}`);
  const bundle = join(directory, 'run.bundle');
  await writeFile(bundle, Buffer.from(bytes as ArrayBuffer));
  expect(await git(origin, 'bundle', 'list-heads', bundle)).toContain(commitSha);
  const none = await client.api.GET('/v1/runs/{id}/artifacts/{kind}', { params: { path: { id, kind: 'film' } } });
  expect(none.error).toMatchObject({ code: 'ERR_ARTIFACT_NOT_FOUND' });
});

test('a run whose deadline is over has failed by a timeout, and its agent is gone', async () => {
  const { client, origin } = orchestrator;
  const run = await client.submit({ repo: origin, agent: command('sleep 300'), deadline: '2s' });
  expect(run.deadlineAt).not.toBeNull();
  expect(await ended(run.id)).toMatchObject({ state: 'failed', error: { code: 'ERR_RUN_DEADLINE', class: 'timeout' } });
});
