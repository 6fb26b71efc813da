import { setTimeout as sleep } from 'node:timers/promises';
import { type Proxy as Link, type RedisServer, startProxy, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { openMill } from './support/mill.ts';

// Each fault ends with every accepted job done, no job acked twice, and no effect under a stale fence.

describe('a link that breaks', () => {
  let redis: RedisServer;
  let proxy: Link;

  beforeEach(async () => {
    redis ??= await startRedis({ own: true, persistent: true });
    const admin = new Redis(redis.url);
    await admin.flushall();
    admin.disconnect();
    proxy = await startProxy({ target: redis.url });
    return () => proxy.stop();
  });
  afterAll(() => redis.stop());

  test('cut in the middle of work: the worker says so and recovers without a restart', async () => {
    await using mill = openMill(proxy.url);
    const ids = await mill.enqueueAll(200);
    const worker = mill.startWorker({ handler: () => sleep(5) });
    await waitFor(() => mill.ledger.runs.size > 20);
    proxy.cut();
    await waitFor(() => worker.health().status === 'unreachable', { what: 'the worker to say that it is cut off' });
    proxy.restore();
    await mill.untilDone(ids);
    await waitFor(() => worker.health().status === 'ok', { what: 'the worker to say that it is well again' });
    expect(mill.ledger.staleEffects).toBe(0);
    expect([...mill.ledger.acks.values()].every((times) => times === 1)).toBe(true);
  });

  test('reset again and again: a storm of reconnections', async () => {
    await using mill = openMill(proxy.url);
    mill.startWorker({ handler: () => sleep(2) });
    const enqueueing = mill.enqueueAll(300);
    for (let storm = 0; storm < 15; storm += 1) {
      await sleep(40);
      proxy.reset();
    }
    await mill.untilDone(await enqueueing);
    expect(mill.ledger.staleEffects).toBe(0);
    expect([...mill.ledger.acks.values()].every((times) => times === 1)).toBe(true);
  });

  test('slow (200 ms there and back)', async () => {
    await using mill = openMill(proxy.url);
    proxy.latency(100, 20);
    const ids = await mill.enqueueAll(100);
    mill.startWorker({ concurrency: 50 });
    await mill.untilDone(ids);
    expect(mill.ledger.staleEffects).toBe(0);
  });

  test('answers lost after the effect: enqueueing again is harmless, lost claims come back', async () => {
    await using mill = openMill(proxy.url);
    mill.startWorker({ handler: () => sleep(2) });
    await mill.enqueueAll(10, 'warm');
    const enqueueing = mill.enqueueAll(100);
    for (let round = 0; round < 4; round += 1) {
      proxy.loseAnswers({ reset: true });
      await sleep(60);
      proxy.restore();
      await sleep(200);
    }
    const ids = await enqueueing;
    await mill.untilDone(ids);
    expect(new Set(ids).size).toBe(100);
    expect(mill.ledger.staleEffects).toBe(0);
    expect([...mill.ledger.acks.values()].every((times) => times === 1)).toBe(true);
  });

  test('frozen for longer than the lease: the handler is told in time, another worker takes over, the late ack has no effect', async () => {
    await using frozen = openMill(proxy.url);
    await using healthy = openMill(redis.url);
    const ids = await frozen.enqueueAll(1);
    let aborted = false;
    let started = false;
    frozen.startWorker({
      handler: async (_job, { signal }) => {
        started = true;
        signal.addEventListener('abort', () => {
          aborted = true;
        });
        await sleep(4_000);
      },
    });
    await waitFor(() => started);
    proxy.freeze();
    healthy.startWorker();
    await waitFor(() => aborted, { what: 'ctx.signal to abort while the store is out of reach' });
    await healthy.untilDone(ids);
    proxy.restore();
    expect(healthy.ledger.acks.get(ids[0] ?? '')).toBe(1);
    expect(frozen.ledger.acks.size).toBe(0);
  });
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
