import { setTimeout as sleep } from 'node:timers/promises';
import { type Proxy as Link, startProxy, waitFor } from '@millrace/test-support';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Mill, openMill } from './mill.ts';

/**
 * A link that breaks. Each fault ends with every accepted job done, no job acked twice, and no effect under a stale fence.
 *
 * @param freshUrl - of an empty store for each test
 */
export function describeLinkFaults(freshUrl: () => Promise<string>): void {
  describe('a link that breaks', () => {
    let url: string;
    let proxy: Link;

    beforeEach(async () => {
      url = await freshUrl();
      proxy = await startProxy({ target: url });
      return () => proxy.stop();
    });

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

    // On TCP a lost packet is seen as a link that stalls, and sometimes as one that breaks.
    test('slow (200 ms there and back) and lossy (1 %): nothing accepted is lost', async () => {
      await using mill = openMill(proxy.url);
      // What is done stays known, so that a job whose answer was lost is not taken for a new one when it is sent again.
      await mill.queue.limits.set({ retention: { succeeded: { count: 100_000 } } });
      mill.startWorker();
      const producers = Array.from({ length: 12 }, () => openMill(proxy.url));
      await Promise.all(producers.map(({ queue }) => queue.ready()));
      proxy.latency(100);
      proxy.loss(0.01);
      // A loss may meet a call of the worker, too; what decides whether accepted jobs are lost are those of an enqueue.
      const unanswered = (): number => producers.reduce((sum, { ledger }) => sum + ledger.unanswered, 0);
      const produce = async ({ enqueueAll }: Mill, producer: number): Promise<readonly string[]> => {
        const ids: string[] = [];
        while (unanswered() < 3) ids.push(...(await enqueueAll(2, `${producer}-${ids.length}`)));
        return ids;
      };
      const ids = (await Promise.all(producers.map(produce))).flat();
      await mill.untilDone(ids);
      await Promise.all(producers.map((producer) => producer[Symbol.asyncDispose]()));
      console.info(
        `lossy link: ${ids.length} accepted jobs done, ${proxy.losses()} losses, ${unanswered()} of enqueues`,
      );
      expect(mill.ledger.staleEffects).toBe(0);
      expect([...mill.ledger.acks.values()].every((times) => times === 1)).toBe(true);
    }, 60_000);

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
      await using healthy = openMill(url);
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
}
