import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { type Client, createClient } from '../src/client/client.ts';
import type { RunView } from '../src/http/view.ts';
import { type Barrier, barrierInOutbox, barrierLeaving, embeddedUrl } from './support/barrier.ts';
import { git, makeOrigin, runBranches } from './support/origin.ts';
import { startServerProcess } from './support/process.ts';

/** Counts how often it was begun, outside the workspace, and takes long enough to be killed half-way. */
const agent = (log: string, seconds = 0) => ({
  type: 'command' as const,
  command: `echo begun >> ${log}; sleep ${seconds}; echo "export const one = 2;" > src/index.js`,
});

async function finished(client: Client, id: string): Promise<RunView> {
  return await waitFor(
    async () => {
      const run = await client.get(id);
      return run.finishedAt ? run : undefined;
    },
    { timeout: 120_000, interval: 100 },
  );
}

/** One branch with one commit on top of main, and the run knows it. */
async function expectOneResult(origin: string, run: RunView): Promise<void> {
  expect(run).toMatchObject({ state: 'succeeded', error: null });
  expect(run.pullRequest?.number ?? 1, 'one pull request').toBe(1);
  expect(await runBranches(origin)).toEqual(new Map([[`millrace/${run.id}`, run.commitSha]]));
  expect(await git(origin, 'rev-list', '--count', `main..millrace/${run.id}`)).toBe('1');
}

async function expectCleanTrail(client: Client, run: RunView): Promise<void> {
  const seen: number[] = [];
  const ends: string[] = [];
  const lines: number[] = [];
  for await (const event of client.events(run.id)) {
    if (event.kind === 'log') lines.push(...event.data.lines.map((line) => line.seq));
    else {
      seen.push(event.data.seq);
      if (event.data.state === 'succeeded') ends.push(event.data.state);
    }
  }
  expect(seen).toEqual(seen.map((_, index) => index + 1));
  expect(lines).toEqual(lines.map((_, index) => index + 1));
  expect(ends).toHaveLength(1);
}

const states = ['queued', 'admitted', 'preparing', 'running', 'collecting', 'pushing', 'pr_open'] as const;

const barriers: readonly (readonly [string, (url: string) => Promise<Barrier>])[] = [
  ['between the queue and the outbox', barrierInOutbox],
  ...states.map((state) => [`in ${state}`, (url: string) => barrierLeaving(url, state)] as const),
];

test.concurrent.each(barriers)(
  'kill -9 %s, then a new start: succeeded exactly once',
  async (_, makeBarrier) => {
    await using directory = await temporaryDirectory('crash');
    const origin = await makeOrigin(directory.path);
    const data = join(directory.path, 'data');
    const log = join(directory.path, 'agent.log');

    const first = await startServerProcess({ DATA_DIR: data });
    const barrier = await makeBarrier(await embeddedUrl(data));
    const run = await createClient({ url: first.url }).submit({ repo: origin, agent: agent(log), pullRequest: {} });
    await barrier.reached();
    await first.kill();
    await barrier.remove();

    await using second = await startServerProcess({ DATA_DIR: data });
    const client = createClient({ url: second.url });
    const done = await finished(client, run.id);
    await expectOneResult(origin, done);
    await expectCleanTrail(client, done);
  },
  240_000,
);

test.concurrent('what was pushed, or committed and kept, is not done again by whoever takes over', async () => {
  await using directory = await temporaryDirectory('crash');
  const origin = await makeOrigin(directory.path);
  const data = join(directory.path, 'data');
  const log = join(directory.path, 'agent.log');
  const first = await startServerProcess({ DATA_DIR: data });
  const barrier = await barrierLeaving(await embeddedUrl(data), 'pushing');
  const run = await createClient({ url: first.url }).submit({ repo: origin, agent: agent(log) });
  await barrier.reached();
  const pushed = await runBranches(origin);
  await first.kill();
  await barrier.remove();
  await using second = await startServerProcess({ DATA_DIR: data });
  await finished(createClient({ url: second.url }), run.id);
  expect(await runBranches(origin)).toEqual(pushed);
  expect(await readFile(log, 'utf8')).toBe('begun\n');
}, 240_000);

test.concurrent('kill -9 while the agent works: the agent dies too, and the run begins again', async () => {
  await using directory = await temporaryDirectory('crash');
  const origin = await makeOrigin(directory.path);
  const data = join(directory.path, 'data');
  const log = join(directory.path, 'agent.log');
  const first = await startServerProcess({ DATA_DIR: data });
  const run = await createClient({ url: first.url }).submit({ repo: origin, agent: agent(log, 2) });
  await waitFor(async () => (await readFile(log, 'utf8').catch(() => '')) !== '', { timeout: 30_000 });
  await first.kill();
  await using second = await startServerProcess({ DATA_DIR: data });
  const done = await finished(createClient({ url: second.url }), run.id);
  await expectOneResult(origin, done);
  expect(done.attempt).toBe(2);
  expect(await readFile(log, 'utf8')).toBe('begun\nbegun\n');
}, 240_000);

test.concurrent('a run that was cancelled while nobody was there is not begun again', async () => {
  await using directory = await temporaryDirectory('crash');
  const origin = await makeOrigin(directory.path);
  const data = join(directory.path, 'data');
  const log = join(directory.path, 'agent.log');
  const first = await startServerProcess({ DATA_DIR: data });
  const run = await createClient({ url: first.url }).submit({ repo: origin, agent: agent(log, 300) });
  await waitFor(async () => (await readFile(log, 'utf8').catch(() => '')) !== '', { timeout: 30_000 });
  await first.kill();
  await using second = await startServerProcess({ DATA_DIR: data });
  const client = createClient({ url: second.url });
  expect(await client.cancel(run.id)).toMatchObject({ cancelRequested: true });
  expect(await finished(client, run.id)).toMatchObject({ state: 'cancelled' });
  expect(await readFile(log, 'utf8')).toBe('begun\n');
}, 240_000);
