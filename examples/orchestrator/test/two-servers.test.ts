import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { createClient } from '../src/client/client.ts';
import { makeOrigin, runBranches } from './support/origin.ts';
import { failingServer, startServerProcess } from './support/process.ts';

test('two servers on the same data share the runs, none is run twice, and the second start touches nothing', async () => {
  await using directory = await temporaryDirectory('two');
  const origin = await makeOrigin(directory.path);
  const env = { DATA_DIR: join(directory.path, 'data'), WORKER_CONCURRENCY: '2' };
  const log = join(directory.path, 'agent.log');
  const agent = { type: 'command' as const, command: `echo $MILLRACE_RUN_ID >> ${log}; sleep 1; echo x > x` };
  await using first = await startServerProcess(env);
  const one = createClient({ url: first.url });
  const before = await Promise.all(Array.from({ length: 2 }, () => one.submit({ repo: origin, agent })));
  await waitFor(async () => (await readFile(log, 'utf8').catch(() => '')).split('\n').length > 2, { timeout: 30_000 });

  await using second = await startServerProcess(env);
  const two = createClient({ url: second.url });
  const after = await Promise.all(
    Array.from({ length: 6 }, (_, i) => (i % 2 ? one : two).submit({ repo: origin, agent })),
  );
  const ids = [...before, ...after].map((run) => run.id);
  const runs = await Promise.all(
    ids.map((id) =>
      waitFor(
        async () => {
          const run = await two.get(id);
          return run.finishedAt ? run : undefined;
        },
        { timeout: 60_000 },
      ),
    ),
  );
  for (const run of runs) expect(run).toMatchObject({ state: 'succeeded', attempt: 1 });
  expect((await readFile(log, 'utf8')).trim().split('\n').sort()).toEqual([...ids].sort());
  expect([...(await runBranches(origin)).keys()].sort()).toEqual(ids.map((id) => `millrace/${id}`).sort());
  const workers = await Promise.all(runs.map((run) => workerOf(second.url, run.id)));
  expect(new Set(workers).size, 'both servers worked').toBe(2);

  // The first one leaves; the second one keeps the database that the first had started.
  expect(await first.stop()).toBe(0);
  const last = await two.submit({ repo: origin, agent });
  await waitFor(async () => (await two.get(last.id)).state === 'succeeded', { timeout: 30_000 });
}, 240_000);

async function workerOf(url: string, id: string): Promise<unknown> {
  for await (const event of createClient({ url }).events(id)) {
    if (event.kind === 'state' && event.data.state === 'admitted') return event.data.data.worker;
  }
  return undefined;
}

test('live events of a run come through a server that does not work on it', async () => {
  await using directory = await temporaryDirectory('two');
  const origin = await makeOrigin(directory.path);
  const env = { DATA_DIR: join(directory.path, 'data') };
  await using worker = await startServerProcess({ ...env, ROLES: 'worker,janitor' });
  await using api = await startServerProcess({ ...env, ROLES: 'api' });
  const client = createClient({ url: api.url });
  const command = 'for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done; echo x > x';
  const run = await client.submit({ repo: origin, agent: { type: 'command', command } });
  const lines: string[] = [];
  let reachedWhileRunning = false;
  for await (const event of client.events(run.id)) {
    if (event.kind !== 'log') continue;
    lines.push(...event.data.lines.filter((line) => line.stream === 'stdout').map((line) => line.text));
    reachedWhileRunning ||= (await client.get(run.id)).state === 'running';
  }
  expect(lines).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5']);
  expect(reachedWhileRunning).toBe(true);
  expect((await fetch(`${worker.url}/v1/runs`)).status).toBe(404);
  expect((await fetch(`${worker.url}/readyz`)).status).toBe(200);
}, 240_000);

test('SIGTERM drains: the run that is under way ends, then the server does', async () => {
  await using directory = await temporaryDirectory('two');
  const origin = await makeOrigin(directory.path);
  const data = join(directory.path, 'data');
  const log = join(directory.path, 'agent.log');
  const server = await startServerProcess({ DATA_DIR: data });
  const command = `echo begun >> ${log}; sleep 1.5; echo x > x`;
  await createClient({ url: server.url }).submit({ repo: origin, agent: { type: 'command', command } });
  await waitFor(async () => (await readFile(log, 'utf8').catch(() => '')) !== '', { timeout: 30_000 });
  expect(await server.stop()).toBe(0);
  expect((await runBranches(origin)).size).toBe(1);
}, 120_000);

test('a drain that takes too long gives the run back: it costs no attempt and is begun again by the next start', async () => {
  await using directory = await temporaryDirectory('two');
  const origin = await makeOrigin(directory.path);
  const env = { DATA_DIR: join(directory.path, 'data'), DRAIN_TIMEOUT: '200ms' };
  const log = join(directory.path, 'agent.log');
  const server = await startServerProcess(env);
  const command = `echo begun >> ${log}; [ $(wc -l < ${log}) = 1 ] && sleep 300; echo x > x`;
  const run = await createClient({ url: server.url }).submit({ repo: origin, agent: { type: 'command', command } });
  await waitFor(async () => (await readFile(log, 'utf8').catch(() => '')) !== '', { timeout: 30_000 });
  expect(await server.stop()).toBe(0);
  await using next = await startServerProcess(env);
  const client = createClient({ url: next.url });
  await waitFor(async () => (await client.get(run.id)).state === 'succeeded', { timeout: 30_000 });
  expect((await client.get(run.id)).attempt).toBe(1);
}, 120_000);

test.each([
  ['DATABASE_URL', 'postgres://nobody:secret@127.0.0.1:1/none'],
  ['DATABASE_URL', 'mysql://db/x'],
  ['QUEUE_URL', 'amqp://127.0.0.1'],
  ['OBJECTS_URL', 's4://bucket'],
  ['PORT', 'eighty'],
])(
  'a wrong %s (%s) stops the start with one line that names it',
  async (name, value) => {
    await using directory = await temporaryDirectory('two');
    const { code, stderr } = await failingServer({ DATA_DIR: join(directory.path, 'data'), [name]: value });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(`millrace: ${name} `);
    expect(stderr).not.toContain('secret');
  },
  60_000,
);
