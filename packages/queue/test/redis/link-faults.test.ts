import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { describeLinkFaults } from '../faults/links.ts';
import { openMill } from '../faults/mill.ts';

// Each fault ends with every accepted job done, no job acked twice, and no effect under a stale fence.

let persistent: RedisServer | undefined;
afterAll(() => persistent?.stop());
describeLinkFaults(async () => {
  persistent ??= await startRedis({ own: true, persistent: true });
  const admin = new Redis(persistent.url);
  await admin.flushall();
  admin.disconnect();
  return persistent.url;
});

describe('a server that fails', () => {
  test('restart and crash with the append-only file: nothing accepted is lost', async () => {
    await using redis = await startRedis({ own: true, persistent: true });
    await using mill = openMill(redis.url);
    mill.startWorker({ handler: () => sleep(5) });
    const first = mill.enqueueAll(200, 'first');
    await waitFor(() => mill.ledger.runs.size > 10);
    await redis.restart();
    const second = mill.enqueueAll(200, 'second');
    await waitFor(() => mill.ledger.runs.size > 100);
    await redis.crash();
    await redis.restart();
    await mill.untilDone([...(await first), ...(await second)]);
    expect(mill.ledger.staleEffects).toBe(0);
  });

  test('SCRIPT FLUSH: the scripts are sent again, nobody notices', async () => {
    await using redis = await startRedis({ own: true });
    await using mill = openMill(redis.url);
    const worker = mill.startWorker({ handler: () => sleep(2) });
    const admin = new Redis(redis.url);
    const enqueueing = mill.enqueueAll(300);
    for (let flush = 0; flush < 10; flush += 1) {
      await admin.script('FLUSH');
      await sleep(15);
    }
    admin.disconnect();
    await mill.untilDone(await enqueueing);
    expect(worker.health().lastError).toBeUndefined();
    expect([...mill.ledger.acks.values()].every((times) => times === 1)).toBe(true);
  });

  test('FLUSHALL: the queue is empty and works', async () => {
    await using redis = await startRedis({ own: true });
    await using mill = openMill(redis.url);
    mill.startWorker();
    await mill.untilDone(await mill.enqueueAll(5, 'before'));
    const admin = new Redis(redis.url);
    await admin.flushall();
    admin.disconnect();
    await mill.untilDone(await mill.enqueueAll(5, 'after'));
  });

  test('a worker whose clock is an hour off, either way, works with one whose clock is right', async () => {
    await using redis = await startRedis({ own: true });
    const hour = 3_600_000;
    await using right = openMill(redis.url);
    await using fast = openMill(redis.url, { ...systemClock, now: () => Date.now() + hour });
    await using slow = openMill(redis.url, { ...systemClock, now: () => Date.now() - hour });
    for (const mill of [right, fast, slow]) mill.startWorker({ concurrency: 2, handler: () => sleep(5) });
    const ids = [...(await fast.enqueueAll(60, 'fast')), ...(await slow.enqueueAll(60, 'slow'))];
    const done = (): string[] => [right, fast, slow].flatMap(({ ledger }) => [...ledger.acks.keys()]);
    await waitFor(() => done().length >= ids.length, { what: 'all jobs to be acked' });
    expect(done().sort()).toEqual([...ids].sort());
  });
});
