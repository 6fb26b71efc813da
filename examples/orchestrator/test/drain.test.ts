import { waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from './support/orchestrator.ts';

test('a draining worker ends what it has and begins nothing new, until it is told to', async () => {
  await using orchestrator = await startTestOrchestrator();
  const { client, origin } = orchestrator;
  const worker = async () => (await client.api.GET('/v1/workers')).data?.workers[0];
  const submit = async (command: string) =>
    (await client.submit({ repo: origin, agent: { type: 'command', command } })).id;
  const state = async (id: string) => (await client.get(id)).state;
  const path = { id: (await worker())?.id ?? '' };

  const first = await submit('sleep 1; echo x > x');
  await waitFor(async () => (await state(first)) === 'running', { timeout: 20_000 });
  const drained = await client.api.POST('/v1/workers/{id}/drain', { params: { path } });
  expect(drained.data).toMatchObject({ ...path, draining: true });
  await waitFor(async () => (await state(first)) === 'succeeded', { timeout: 20_000 });
  const second = await submit('echo y > y');
  const queue = async () => (await client.api.GET('/v1/queue')).data;
  await waitFor(async () => (await queue())?.ready === 1);
  // Another run that is given to the queue wakes every worker that may claim.
  await submit('echo z > z');
  await waitFor(async () => {
    const counts = await queue();
    return counts?.ready === 2 && counts.leased === 0;
  });
  expect(await state(second)).toBe('queued');
  expect(await worker()).toMatchObject({ draining: true });

  await client.api.DELETE('/v1/workers/{id}/drain', { params: { path } });
  await waitFor(async () => (await state(second)) === 'succeeded', { timeout: 20_000 });
  const unknown = await client.api.POST('/v1/workers/{id}/drain', { params: { path: { id: 'nobody' } } });
  expect(unknown.error).toMatchObject({ code: 'ERR_WORKER_NOT_FOUND' });
}, 60_000);
