import { batch, createQueue, defineJob, type HandlerContext, SnoozeError, UnrecoverableError } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aborted, anything, deferred, workJob, workQueue } from './support.ts';

describe('a handler', () => {
  it('is given the parsed payload and its delivery', async () => {
    const seen = deferred<unknown>();
    await using queue = createQueue({
      adapter: memoryAdapter(),
      jobs: [defineJob('date', z.object({ at: z.string().transform((text) => new Date(text)) }))],
    });
    queue.work({
      date: (job, ctx) =>
        seen.resolve({
          year: job.payload.at.getUTCFullYear(),
          tenant: job.tenant,
          fence: ctx.fence,
          attempt: ctx.attempt,
        }),
    });
    await queue.enqueue('date', { at: '2031-01-02' }, { tenant: 'acme' });
    expect(await seen.promise).toEqual({ year: 2031, tenant: 'acme', fence: 1, attempt: 1 });
  });

  it('runs again after a failure, with a larger fence, until attempts are used up', async () => {
    const runs: [number, number][] = [];
    await using queue = workQueue({ maxAttempts: 3, backoff: () => 0 });
    queue.work({
      work: (_job, ctx) => {
        runs.push([ctx.attempt, ctx.fence]);
        throw new Error(`number ${ctx.attempt}`);
      },
    });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(async () => (await queue.inspect.job(id))?.state).toBe('dead');
    expect(runs).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    const job = await queue.inspect.job(id);
    expect(job?.failures.map(({ message }) => message)).toEqual(['number 1', 'number 2', 'number 3']);
  });

  it.each([
    ['UnrecoverableError ends it at once', () => new UnrecoverableError('hopeless'), 'dead'],
    [
      'retryAfter of an error is honoured',
      () => Object.assign(new Error('busy'), { retryAfter: 3_600_000 }),
      'delayed',
    ],
    ['snoozing does not count', () => new SnoozeError(3_600_000), 'delayed'],
  ])('%s', async (_name, makeError, state) => {
    await using queue = workQueue({ backoff: () => 0 });
    queue.work({
      work: () => {
        throw makeError();
      },
    });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(async () => (await queue.inspect.job(id))?.state).toBe(state);
    const job = await queue.inspect.job(id);
    if (state === 'delayed') expect((job?.readyAt ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
    expect(job?.attempt).toBe(makeError() instanceof SnoozeError ? 0 : 1);
  });

  it('may decide per error', async () => {
    await using queue = workQueue({ onFailure: (error) => (error instanceof RangeError ? 'dead' : undefined) });
    queue.work({
      work: () => {
        throw new RangeError('never');
      },
    });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(async () => (await queue.inspect.job(id))?.state).toBe('dead');
  });

  it('reports progress, logs and costs', async () => {
    const go = deferred();
    await using queue = workQueue({ cost: 5 }, { settings: { tenantDefaults: { budget: { units: 100, per: '1d' } } } });
    queue.work(
      {
        work: async (_job, ctx) => {
          ctx.progress({ percent: 50 });
          ctx.log('s3://logs/1');
          ctx.cost(17);
          await go.promise;
        },
      },
      { pollInterval: 20 },
    );
    const { id } = await queue.enqueue('work', { n: 1 }, { tenant: 't' });
    await expect.poll(async () => (await queue.inspect.job(id))?.progress).toEqual({ percent: 50 });
    expect((await queue.inspect.job(id))?.logs).toEqual(['s3://logs/1']);
    go.resolve();
    await expect.poll(async () => (await queue.inspect.tenants()).items[0]?.spent).toBe(17);
  });

  it('returns a result to who waits for it', async () => {
    await using queue = workQueue({ keepResult: '1m', maxAttempts: 1 });
    queue.work({
      work: (job) => {
        if (job.payload.n < 0) throw new Error('negative');
        return { twice: 2 * job.payload.n };
      },
    });
    expect(await (await queue.enqueue('work', { n: 21 })).result()).toEqual({ twice: 42 });
    const failed = await queue.enqueue('work', { n: -1 });
    await expect(failed.result()).rejects.toMatchObject({ code: 'ERR_RESULT_UNAVAILABLE', state: 'dead' });
    await expect(queue.result('nothing')).rejects.toMatchObject({ state: 'unknown' });
    const waiting = (await queue.enqueue('work', { n: 1 }, { delay: '1h' })).result({
      signal: AbortSignal.timeout(30),
    });
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  it('is aborted when the job is cancelled, within a second', async () => {
    const started = deferred<HandlerContext>();
    await using queue = workQueue();
    queue.work({
      work: async (_job, ctx) => {
        started.resolve(ctx);
        throw await aborted(ctx.signal);
      },
    });
    const { id } = await queue.enqueue('work', { n: 1 });
    const ctx = await started.promise;
    expect(await queue.cancel(id)).toBe('requested');
    expect(await aborted(ctx.signal)).toMatchObject({ code: 'ERR_JOB_CANCELLED' });
    await expect.poll(async () => (await queue.inspect.job(id))?.state).toBe('cancelled');
  });

  it.each([
    ['deadline', { deadline: 30 }, 'ERR_JOB_DEADLINE'],
    ['stall', { stall: 30 }, 'ERR_JOB_STALLED'],
  ])('is aborted by its %s, which is a failure', async (_name, options, code) => {
    await using queue = workQueue({ ...options, maxAttempts: 1 });
    queue.work({ work: async (_job, ctx) => Promise.reject(await aborted(ctx.signal)) });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(async () => (await queue.inspect.job(id))?.failures[0]?.code).toBe(code);
    expect((await queue.inspect.job(id))?.state).toBe('dead');
  });

  it('is not held to a stall while it shows progress', async () => {
    await using queue = workQueue({ stall: 80, keepResult: '1m' });
    queue.work({
      work: async (_job, ctx) => {
        for (let step = 0; step < 8; step += 1) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          ctx.touch();
        }
        return ctx.signal.aborted;
      },
    });
    expect(await (await queue.enqueue('work', { n: 1 })).result()).toBe(false);
  });

  it('extends a lease of its own; without that it loses it', async () => {
    const outcomes: string[] = [];
    await using queue = workQueue({ visibility: 800, keepResult: '1m', maxAttempts: 2 });
    queue.work(
      {
        work: async (_job, ctx) => {
          if (ctx.attempt === 2) {
            for (let step = 0; step < 4; step += 1) {
              await ctx.extend(800);
              await new Promise((resolve) => setTimeout(resolve, 300));
            }
            return 'extended';
          }
          outcomes.push(String(Reflect.get((await aborted(ctx.signal)) as object, 'code')));
          return 'too late';
        },
      },
      { pollInterval: 20 },
    );
    expect(await (await queue.enqueue('work', { n: 1 })).result()).toBe('extended');
    expect(outcomes).toEqual(['ERR_LEASE_LOST']);
  });

  it('that ignores its deadline does not hold the job for ever', { timeout: 20_000 }, async () => {
    await using queue = workQueue({ deadline: 10, maxAttempts: 1 });
    const release = deferred();
    const worker = queue.work({ work: () => release.promise });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(async () => (await queue.inspect.job(id))?.state, { timeout: 10_000 }).toBe('dead');
    expect(worker.health().running).toBe(1);
    release.resolve();
  });

  it('sees how its children ended', async () => {
    await using queue = createQueue({
      adapter: memoryAdapter(),
      jobs: [defineJob('part', anything), defineJob('sum', anything, { keepResult: '1m' })],
    });
    queue.work({
      part: (job) => job.payload,
      sum: async (_job, ctx) => (await ctx.children()).reduce((sum, child) => sum + Number(child.result), 0),
    });
    const flow = await queue.enqueueFlow({
      name: 'sum',
      payload: null,
      children: [1, 2, 39].map((payload) => ({ name: 'part' as const, payload })),
    });
    expect(await flow.result()).toBe(42);
  });

  it('may take many jobs at once', async () => {
    const sizes: number[] = [];
    await using queue = workQueue({ keepResult: '1m', maxAttempts: 1 });
    const handles = await Promise.all([1, 2, 3, 4, 5].map((n) => queue.enqueue('work', { n })));
    queue.work({
      work: batch<{ n: number }>(
        (jobs) => {
          sizes.push(jobs.length);
          return jobs.map(({ payload }) => (payload.n === 3 ? new Error('three') : payload.n * 10));
        },
        { size: 4, linger: 50 },
      ),
    });
    const results = await Promise.allSettled(handles.map((handle) => handle.result()));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual([
      10,
      20,
      'failed',
      40,
      50,
    ]);
    expect(sizes).toEqual([4, 1]);
  });
});

describe('a worker', () => {
  it('needs a handler for every job', async () => {
    await using queue = workQueue();
    // @ts-expect-error: no handler for `work`
    expect(() => queue.work({})).toThrow(/"work"/);
  });

  it('runs as many as it has slots, and the number can be changed', async () => {
    const gates: (() => void)[] = [];
    await using queue = workQueue();
    const worker = queue.work(
      { work: () => new Promise<void>((resolve) => gates.push(resolve)) },
      { concurrency: 2, prefetch: 0 },
    );
    await queue.enqueueMany(Array.from({ length: 6 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    await expect.poll(() => worker.health().running).toBe(2);
    expect((await queue.inspect.counts()).ready).toBe(4);
    worker.setConcurrency(4);
    await expect.poll(() => worker.health().running).toBe(4);
    while (gates.length > 0 || worker.health().running > 0) {
      gates.splice(0).forEach((open) => void open());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  it('lets a large job take several slots', async () => {
    const go = deferred();
    await using queue = createQueue({
      adapter: memoryAdapter(),
      jobs: [defineJob('large', anything, { slots: 3 }), defineJob('small', anything)],
    });
    await queue.enqueue('large', 1);
    await queue.enqueueMany([1, 2, 3].map((payload) => ({ name: 'small' as const, payload })));
    const worker = queue.work({ large: () => go.promise, small: () => go.promise }, { concurrency: 4, prefetch: 0 });
    await expect.poll(() => worker.health().running).toBe(4);
    go.resolve();
    await expect.poll(async () => (await queue.inspect.counts()).leased + (await queue.inspect.counts()).ready).toBe(0);
  });

  it('claims nothing while its gate is closed or it is paused', async () => {
    let open = false;
    const seen: number[] = [];
    await using queue = workQueue();
    const worker = queue.work({ work: (job) => void seen.push(job.payload.n) }, { gate: () => open, pollInterval: 10 });
    await queue.enqueue('work', { n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect([seen, worker.health().status]).toEqual([[], 'paused']);
    open = true;
    await expect.poll(() => seen).toEqual([1]);
    worker.pause();
    await queue.enqueue('work', { n: 2 });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(seen).toEqual([1]);
    worker.resume();
    await expect.poll(() => seen).toEqual([1, 2]);
  });

  it('drains: finishes what runs, gives back what has not started', async () => {
    const go = deferred();
    const finished: number[] = [];
    await using queue = workQueue();
    const worker = queue.work(
      {
        work: async (job) => {
          await go.promise;
          finished.push(job.payload.n);
        },
      },
      { concurrency: 1, prefetch: 3 },
    );
    await queue.enqueueMany([1, 2, 3].map((n) => ({ name: 'work' as const, payload: { n } })));
    await expect.poll(() => worker.health().running).toBe(1);
    const drained = worker.drain();
    go.resolve();
    await drained;
    expect(finished).toEqual([1]);
    expect(worker.health().status).toBe('stopped');
    const { ready, leased, sessions } = await queue.inspect.counts();
    expect({ ready, leased, sessions }).toEqual({ ready: 2, leased: 0, sessions: 0 });
    expect((await queue.inspect.jobs({ state: 'ready' })).items.map(({ attempt }) => attempt)).toEqual([0, 0]);
  });

  it('aborts what takes too long to drain, and that attempt does not count', async () => {
    const reasons: unknown[] = [];
    await using queue = workQueue();
    const worker = queue.work({
      work: async (_job, ctx) => {
        const reason = await aborted(ctx.signal);
        reasons.push(reason);
        throw reason;
      },
    });
    const { id } = await queue.enqueue('work', { n: 1 });
    await expect.poll(() => worker.health().running).toBe(1);
    await worker.drain({ timeout: 20 });
    expect(reasons).toMatchObject([{ code: 'ERR_WORKER_SHUTDOWN' }]);
    expect(await queue.inspect.job(id)).toMatchObject({ state: 'ready', attempt: 0 });
  });

  it('leaves jobs that it does not know to others', async () => {
    const adapter = memoryAdapter();
    await using newer = createQueue({ adapter, jobs: [workJob(), defineJob('new', anything)] });
    await using older = workQueue({}, { adapter });
    const { id } = await newer.enqueue('new', 1);
    older.work({ work: () => undefined });
    await expect.poll(async () => (await newer.inspect.job(id))?.state).toBe('delayed');
    expect((await newer.inspect.job(id))?.attempt).toBe(0);
  });

  it('refuses settings that would lose leases', async () => {
    await using queue = workQueue();
    expect(() => queue.work({ work: () => 1 }, { lease: 500 })).toThrow(/lease/);
    expect(() => queue.work({ work: () => 1 }, { concurrency: 0 })).toThrow(/concurrency/);
  });
});
