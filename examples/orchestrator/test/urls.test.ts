import { startPostgres, startRedis, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from './support/orchestrator.ts';
import { runBranches } from './support/origin.ts';

test('the same run goes through PostgreSQL and Redis given by URL', async () => {
  await using postgres = await startPostgres();
  await using redis = await startRedis({ own: true });
  await using orchestrator = await startTestOrchestrator({
    DATABASE_URL: await postgres.createDatabase(),
    QUEUE_URL: redis.url,
    RELAY_URL: redis.url,
  });
  const { client, origin } = orchestrator;
  const run = await client.submit({ repo: origin, agent: { type: 'command', command: 'echo x > x' } });
  const states: string[] = [];
  for await (const event of client.events(run.id)) if (event.kind === 'state') states.push(event.data.state);
  expect(states.at(-1)).toBe('succeeded');
  expect((await runBranches(origin)).size).toBe(1);

  const slow = await client.submit({ repo: origin, agent: { type: 'command', command: 'sleep 300' } });
  await waitFor(async () => (await client.get(slow.id)).state === 'running', { timeout: 60_000 });
  await client.cancel(slow.id);
  await waitFor(async () => (await client.get(slow.id)).state === 'cancelled', { timeout: 60_000 });
}, 180_000);
