import { startPostgres, startRedis, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from './support/orchestrator.ts';
import { runBranches } from './support/origin.ts';

test('the same run goes through PostgreSQL and Redis given by URL', async () => {
  await using postgres = await startPostgres();
  await using redis = await startRedis({ own: true });
  await runAndCancel({ DATABASE_URL: await postgres.createDatabase(), QUEUE_URL: redis.url, RELAY_URL: redis.url });
}, 180_000);

test('production may run on PostgreSQL alone: runs and queue in one database', async () => {
  await using postgres = await startPostgres();
  const url = await postgres.createDatabase();
  await runAndCancel({ DATABASE_URL: url, QUEUE_URL: url });
}, 180_000);

async function runAndCancel(environment: Record<string, string>): Promise<void> {
  await using orchestrator = await startTestOrchestrator(environment);
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
}
