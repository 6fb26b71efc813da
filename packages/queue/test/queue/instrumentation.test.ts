import type { AttemptInfo, QueueInstrumentation } from '@millrace/queue';
import { describe, expect, it } from 'vitest';
import { deferred, workQueue } from './support.ts';

const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;

type Seen = Record<'enqueued' | 'claimed' | 'settled' | 'rejected', unknown[]>;

/** Hooks that write down what they are told of a queue. */
function recorded(): { readonly seen: Seen; readonly hooks: QueueInstrumentation } {
  const seen: Seen = { enqueued: [], claimed: [], settled: [], rejected: [] };
  const hooks: QueueInstrumentation = {
    onEnqueued: (event) => void seen.enqueued.push(event),
    onClaimed: (event) => void seen.claimed.push(event),
    onSettled: (event) => void seen.settled.push(...event.jobs),
    onRejected: (event) => void seen.rejected.push(event),
  };
  return { seen, hooks };
}

describe('instrumentation', () => {
  it('is told of batches, without payloads', async () => {
    const { seen, hooks } = recorded();
    await using queue = workQueue(
      { maxAttempts: 1 },
      { instrumentation: hooks, settings: { tenantDefaults: { maxWaiting: 2 } } },
    );
    await queue.enqueueMany([1, 2, 3].map((n) => ({ name: 'work', payload: { n }, tenant: 'acme' })));
    queue.work({
      work: ({ payload }) => {
        if (payload.n === 2) throw Object.assign(new Error('no'), { code: 'ERR_NO' });
      },
    });
    await expect.poll(() => seen.settled).toHaveLength(2);
    const of = { queue: 'default' };
    const job = { name: 'work', tenant: 'acme', id: expect.any(String) };
    const stored = { ...job, status: 'accepted', bytes: 7 };
    expect(seen.enqueued).toEqual([{ ...of, jobs: [stored, stored], durationMs: expect.any(Number) }]);
    const refused = { ...job, scope: 'tenant', limit: 'count', retryAfter: expect.any(Number) };
    expect(seen.rejected).toEqual([{ ...of, jobs: [refused] }]);
    const delivery = { ...job, attempt: 1, fence: expect.any(Number) };
    const claimed = { ...delivery, waitMs: expect.any(Number) };
    expect(seen.claimed).toEqual([{ ...of, jobs: [claimed, claimed], durationMs: expect.any(Number) }]);
    const settled = { ...delivery, outcome: 'applied', runMs: expect.any(Number) };
    const endings = [
      { ...settled, kind: 'ack' },
      { ...settled, kind: 'dead', errorCode: 'ERR_NO' },
    ];
    expect(seen.settled).toEqual(expect.arrayContaining(endings));
  });

  it('wraps calls and attempts, and gives jobs the traceparent of its span', async () => {
    const attempts: AttemptInfo[] = [];
    const instrumentation: QueueInstrumentation = {
      aroundEnqueue: (_info, next) => next({ traceparent }),
      aroundAttempt: (info, next) => {
        attempts.push(info);
        return next();
      },
    };
    await using queue = workQueue({ keepResult: '1m' }, { instrumentation });
    queue.work({ work: (_job, ctx) => ctx.traceparent });
    const handle = await queue.enqueue('work', { n: 1 }, { tenant: 'acme' });
    expect(await handle.result()).toBe(traceparent);
    expect(attempts).toEqual([
      {
        queue: 'default',
        id: handle.id,
        jobId: handle.id,
        name: 'work',
        tenant: 'acme',
        attempt: 1,
        fence: 1,
        waitMs: expect.any(Number),
        traceparent,
      },
    ]);
  });

  it('is left out of calls and attempts for as long as it says that it would only pass them on', async () => {
    let skips = true;
    const wrapped: string[] = [];
    const instrumentation: QueueInstrumentation = {
      skipsAround: () => skips,
      aroundEnqueue: (_info, next) => {
        wrapped.push('enqueue');
        return next();
      },
      aroundAttempt: ({ id }, next) => {
        wrapped.push(id);
        return next();
      },
    };
    await using queue = workQueue({ keepResult: '1m' }, { instrumentation });
    queue.work({ work: () => 'done' });
    const first = await queue.enqueue('work', { n: 1 });
    expect([await first.result(), wrapped]).toEqual(['done', []]);
    skips = false;
    const second = await queue.enqueue('work', { n: 2 });
    expect([await second.result(), wrapped]).toEqual(['done', ['enqueue', second.id]]);
  });

  it('that throws does not harm the queue', async () => {
    const fail = (): never => {
      throw new Error('a broken metric');
    };
    const done = deferred<number>();
    await using queue = workQueue(
      { keepResult: '1m' },
      { instrumentation: { onEnqueued: fail, onClaimed: fail, onSettled: fail } },
    );
    queue.work({ work: ({ payload }) => done.resolve(payload.n) });
    const { id } = await queue.enqueue('work', { n: 4 });
    expect(await done.promise).toBe(4);
    await expect.poll(async () => (await queue.inspect.job(id))?.state).toBe('succeeded');
  });
});
