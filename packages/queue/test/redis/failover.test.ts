import { setTimeout as sleep } from 'node:timers/promises';
import { startRedisSentinel, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { redisAdapter } from '../../src/redis.ts';
import { openMill } from '../faults/mill.ts';
import { isEmpty, produce, report } from '../faults/stream.ts';

const quiet = { onWarning: () => undefined };

test('a failover by Sentinel: with durability wait nothing accepted is lost', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, durability: 'wait', ...quiet }));
  const ids = await mill.enqueueAll(300);
  const worker = mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  await waitFor(() => mill.ledger.runs.size > 20);
  await sentinel.master.crash();
  await mill.untilDone(ids, 40_000);
  expect(report('Sentinel, durability wait', mill, ids).lost).toBe(0);
  expect(worker.health().status).toBe('ok');
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});

test('a failover by Sentinel under load: writes go on, and what was lost is counted', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, ...quiet }));
  mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  const stream = produce(mill);
  await waitFor(() => mill.ledger.runs.size > 20, { timeout: 20_000 });
  await sentinel.master.crash();
  const before = stream.ids.length;
  await waitFor(() => stream.ids.length > before + 50, { timeout: 40_000, what: 'writes after the failover' });
  await stream.stop();
  await waitFor(() => isEmpty(mill), { timeout: 40_000, what: 'the queue to be empty' });
  const { lost } = report(`Sentinel, durability server, no write for ${stream.gap()} ms`, mill, stream.ids);
  expect(lost).toBeLessThan(stream.ids.length);
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});
