import { type Clock, type ExchangeRequest, type QueueAdapter, type QueueStorage, systemClock } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { describe, expect, it } from 'vitest';
import { deferred, workQueue } from './support.ts';

/** What the worker may see of the store, and how calls reach it. */
interface Gate {
  readonly sent: ExchangeRequest[];
  /** Most calls that were under way at one time. */
  most: number;
  under: number;
  /** Called instead of the store; `pass` carries the call out. */
  exchange: (request: ExchangeRequest, pass: QueueStorage['exchange']) => ReturnType<QueueStorage['exchange']>;
}

/** A memory adapter whose exchanges go through a gate. */
function gated(exchangesAtOnce: number, handsOver = false): { readonly adapter: QueueAdapter; readonly gate: Gate } {
  const gate: Gate = { sent: [], most: 0, under: 0, exchange: (request, pass) => pass(request) };
  const memory = memoryAdapter();
  const adapter: QueueAdapter = {
    ...memory,
    open: async (context) => {
      const storage = await memory.open(context);
      return {
        ...storage,
        exchangesAtOnce,
        ...(handsOver && { handOffs: () => () => undefined }),
        exchange: async (request) => {
          gate.sent.push(request);
          gate.under += 1;
          gate.most = Math.max(gate.most, gate.under);
          // A trip takes a while: without it nothing could be under way beside it.
          await new Promise((resolve) => setTimeout(resolve, 2));
          return gate.exchange(request, storage.exchange).finally(() => {
            gate.under -= 1;
          });
        },
      };
    },
  };
  return { adapter, gate };
}

/** Runs so many jobs, on eight slots without prefetch. */
async function runAll(queue: ReturnType<typeof workQueue>, count: number): Promise<void> {
  let done = 0;
  queue.work(
    {
      work: async () => {
        done += 1;
      },
    },
    { concurrency: 8, prefetch: 0 },
  );
  await expect.poll(() => done, { timeout: 20_000 }).toBe(count);
}

describe('a worker with several exchanges under way', () => {
  it.each([1, 2])('keeps %i under way when much waits, and claims no more than it may hold', async (atOnce) => {
    const { adapter, gate } = gated(atOnce);
    await using queue = workQueue({}, { adapter });
    await queue.enqueueMany(Array.from({ length: 200 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    let running = 0;
    let mostRunning = 0;
    let done = 0;
    const held = { now: 0, most: 0 };
    gate.exchange = async (request, pass) => {
      const answer = await pass(request);
      held.now += answer.claimed.length - request.settle.length;
      held.most = Math.max(held.most, held.now);
      return answer;
    };
    queue.work(
      {
        work: async () => {
          running += 1;
          mostRunning = Math.max(mostRunning, running);
          await new Promise((resolve) => setTimeout(resolve, 1));
          running -= 1;
          done += 1;
        },
      },
      { concurrency: 8, prefetch: 0 },
    );
    await expect.poll(() => done, { timeout: 20_000 }).toBe(200);
    expect(gate.most).toBe(atOnce);
    expect(mostRunning).toBeLessThanOrEqual(8);
    expect(held.most).toBe(8);
  });

  it('settles half in each of two calls that begin together', async () => {
    const { adapter, gate } = gated(2);
    await using queue = workQueue({}, { adapter });
    await queue.enqueueMany(Array.from({ length: 200 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    // Answers come in pairs, so that the handlers of both end together.
    const pairs: (() => void)[] = [];
    gate.exchange = async (request, pass) => {
      const answer = await pass(request);
      if (answer.more && request.call > 2 && !request.end) {
        await new Promise<void>((resolve) => {
          pairs.push(resolve);
          if (pairs.length === 2) for (const go of pairs.splice(0)) go();
          else setTimeout(resolve, 100);
        });
      }
      return answer;
    };
    await runAll(queue, 200);
    expect(Math.max(...gate.sent.map(({ settle }) => settle.length))).toBe(4);
  });

  it('settles all that is left with the call that ends the session', async () => {
    const { adapter, gate } = gated(2);
    await using queue = workQueue({}, { adapter });
    await queue.enqueueMany(Array.from({ length: 200 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    const end = deferred();
    let begun = 0;
    const work = (): Promise<void> => {
      begun += 1;
      return begun > 100 ? end.promise : Promise.resolve();
    };
    const worker = queue.work({ work }, { concurrency: 8, prefetch: 0 });
    await expect.poll(() => worker.health().running === 8 && gate.under === 0, { timeout: 20_000 }).toBe(true);
    const drained = worker.drain();
    end.resolve();
    await drained;
    expect(gate.sent.at(-1)).toMatchObject({ end: true, settle: { length: 8 } });
    expect(await queue.inspect.counts()).toMatchObject({ leased: 0, ready: 200 - begun });
  });

  it('offers to take jobs only when none are left: an offer that the next call takes back costs the store a search', async () => {
    const { adapter, gate } = gated(2, true);
    await using queue = workQueue({}, { adapter });
    await queue.enqueueMany(Array.from({ length: 200 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    await runAll(queue, 200);
    await expect.poll(() => gate.sent.at(-1)?.offer, { timeout: 20_000 }).toBeDefined();
    const lost = gate.sent.filter(({ lostCalls }) => lostCalls.length > 0).length;
    expect(gate.sent.length).toBeGreaterThan(20);
    expect(lost).toBeLessThan(5);
  });

  it('tells for ever of a first call that got no answer: it may come when the session is unknown again', async () => {
    const { adapter, gate } = gated(1);
    await using queue = workQueue({}, { adapter });
    gate.exchange = (request, pass) => (request.call === 1 ? Promise.reject(new Error('no answer')) : pass(request));
    queue.work({ work: () => undefined }, { pollInterval: 100 });
    await expect.poll(() => gate.sent.length, { timeout: 20_000 }).toBeGreaterThan(4);
    expect(gate.sent.slice(1).map(({ lostCalls }) => lostCalls)).toEqual(gate.sent.slice(1).map(() => [1]));
  });

  it('begins another session when the store never answers, so that what it must tell stays short', async () => {
    const { adapter, gate } = gated(1);
    const hundredTimes: Clock = {
      ...systemClock,
      monotonic: () => performance.now() * 100,
      setTimeout: (fn, ms) => setTimeout(fn, ms / 100),
    };
    await using queue = workQueue({}, { adapter, clock: hundredTimes });
    gate.exchange = () => Promise.reject(new Error('no answer'));
    queue.work({ work: () => undefined });
    await expect.poll(() => gate.sent.length, { timeout: 20_000 }).toBeGreaterThan(20);
    expect(Math.max(...gate.sent.map(({ lostCalls }) => lostCalls.length))).toBe(7);
    expect(new Set(gate.sent.map(({ session }) => session)).size).toBeGreaterThan(1);
  });

  it('has one under way after a failure until the store answers again', async () => {
    const { adapter, gate } = gated(2);
    await using queue = workQueue({}, { adapter });
    await queue.enqueueMany(Array.from({ length: 100 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    let failing = false;
    gate.exchange = (request, pass) => (failing ? Promise.reject(new Error('no store')) : pass(request));
    let done = 0;
    const worker = queue.work(
      {
        work: () => {
          done += 1;
          failing ||= done === 40;
        },
      },
      { concurrency: 4, prefetch: 0 },
    );
    await expect.poll(() => worker.health().status, { timeout: 20_000 }).toBe('unreachable');
    await expect.poll(() => gate.under).toBe(0);
    gate.most = 0;
    const before = gate.sent.length;
    await expect.poll(() => gate.sent.length, { timeout: 20_000 }).toBeGreaterThan(before + 2);
    expect(gate.most).toBe(1);
    failing = false;
    await expect.poll(() => done, { timeout: 20_000 }).toBe(100);
    expect(gate.most).toBe(2);
  });

  it('looks again for what a hint announced while a call was under way', async () => {
    const { adapter, gate } = gated(2);
    await using queue = workQueue({}, { adapter });
    const late = deferred();
    let claims = 0;
    gate.exchange = async (request, pass) => {
      const answer = await pass(request);
      claims += request.claim > 0 ? 1 : 0;
      // The first look has found nothing; its answer arrives after the hint of a new job.
      if (claims === 1) await late.promise;
      return answer;
    };
    const ran = deferred();
    queue.work({ work: () => ran.resolve() }, { concurrency: 1, pollInterval: '5m', lease: '10m' });
    await expect.poll(() => claims).toBe(1);
    await queue.enqueue('work', { n: 1 });
    late.resolve();
    await ran.promise;
  });

  it('refuses an extension that was under way when the session was lost', async () => {
    const { adapter, gate } = gated(2);
    await using queue = workQueue({ visibility: '30s', maxAttempts: 1 }, { adapter });
    const answer = deferred<string>();
    gate.exchange = async (request, pass) => {
      const reply = await pass(request);
      return request.extend.length > 0 ? { ...reply, session: 'lost' } : reply;
    };
    queue.work({
      work: async (_job, ctx) => {
        await ctx.extend('30s').catch((error: { code: string }) => answer.resolve(error.code));
      },
    });
    await queue.enqueue('work', { n: 1 });
    expect(await answer.promise).toBe('ERR_LEASE_LOST');
  });
});
