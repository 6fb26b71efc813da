import { UnrecoverableError } from '@millrace/queue';
import { describe, expect, it } from 'vitest';
import { workQueue } from './support.ts';

describe('bulk', () => {
  it('counts first, then acts on what matches and on nothing else', async () => {
    await using queue = workQueue();
    const many = (tenant: string, delay: number) =>
      queue.enqueueMany(
        Array.from({ length: 600 }, (_, n) => ({ name: 'work' as const, payload: { n }, tenant, delay })),
      );
    await many('a', 60_000);
    await many('b', 60_000);
    const ofA = queue.bulk({ tenant: 'a' });
    expect(await ofA.count()).toBe(600);
    expect(await ofA.promote()).toBe(600);
    expect(await queue.inspect.counts()).toMatchObject({ ready: 600, delayed: 600 });
    expect(await ofA.setPriority(7)).toBe(600);
    expect(await queue.inspect.priorities()).toEqual([{ priority: 7, ready: 600 }]);
    expect(await ofA.cancel()).toBe(600);
    expect(await queue.bulk({ tenant: 'a', state: 'cancelled' }).count()).toBe(600);
    expect(await ofA.purge()).toBe(600);
    expect(await ofA.count()).toBe(0);
    expect(await queue.bulk({}).count()).toBe(600);
  });

  it('stops at a page when the signal aborts', async () => {
    await using queue = workQueue();
    await queue.enqueue('work', { n: 1 });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(queue.bulk({}).cancel({ signal })).rejects.toThrow('enough');
    expect((await queue.inspect.counts()).ready).toBe(1);
  });
});

describe('dead letters', () => {
  it('are grouped by like errors, redriven at a rate, and purged', async () => {
    await using queue = workQueue();
    const worker = queue.work({
      work: (job) => {
        throw new UnrecoverableError(job.payload.n < 30 ? `no such user ${job.payload.n}` : 'disk "x1" is full');
      },
    });
    await queue.enqueueMany(Array.from({ length: 40 }, (_, n) => ({ name: 'work' as const, payload: { n } })));
    await expect.poll(async () => (await queue.inspect.counts()).dead).toBe(40);
    await worker.drain();
    const [users, disk] = await queue.deadLetters.groups();
    expect([users?.count, disk?.count]).toEqual([30, 10]);
    const filter = { fingerprint: String(users?.fingerprint) };
    expect(await queue.deadLetters.redrive({ filter, rate: { limit: 1, per: '1h' } })).toBe(30);
    const { items } = await queue.inspect.jobs({ state: 'delayed' });
    const times = items.map(({ readyAt = 0 }) => readyAt).sort((a, b) => a - b);
    expect(times.map((time) => time - Number(times[0]))).toEqual(times.map((_, index) => index * 3_600_000));
    expect(items.every(({ attempt }) => attempt === 0)).toBe(true);
    expect(await queue.deadLetters.purge()).toBe(10);
    expect(await queue.inspect.counts()).toMatchObject({ dead: 0, ready: 1, delayed: 29 });
  });
});

describe('inspect', () => {
  it('tells a job with its history, and why it does not run until when', async () => {
    await using queue = workQueue({ backoff: () => 3_600_000 });
    const { id } = await queue.enqueue('work', { n: 1 }, { tenant: 'a', traceparent: '00-1-2-01' });
    const worker = queue.work({
      work: () => {
        throw Object.assign(new Error('port 8080 is taken'), { code: 'EADDRINUSE' });
      },
    });
    await expect.poll(async () => (await queue.inspect.job(id))?.failures.length).toBe(1);
    await worker.drain();
    const job = await queue.inspect.job(id);
    expect(job).toMatchObject({
      state: 'delayed',
      attempt: 1,
      payload: { n: 1 },
      tenant: 'a',
      traceparent: '00-1-2-01',
    });
    expect(job?.failures[0]).toMatchObject({ attempt: 1, code: 'EADDRINUSE', message: 'port 8080 is taken' });
    const { reason, until } = await queue.inspect.explain(id);
    expect([reason, until]).toEqual(['delayed', job?.readyAt]);
    expect(await queue.inspect.job('nobody')).toBeUndefined();
    expect(await queue.inspect.oldestAge()).toBe(0);
  });

  it('lists tenants and jobs page by page', async () => {
    await using queue = workQueue();
    for (const tenant of ['a', 'b', 'c']) await queue.enqueue('work', { n: 1 }, { tenant });
    const first = await queue.inspect.tenants({ limit: 2 });
    expect(first.items.map(({ tenant }) => tenant)).toEqual(['a', 'b']);
    const rest = await queue.inspect.tenants({ limit: 2, cursor: String(first.cursor) });
    expect(rest.items.map(({ tenant }) => tenant)).toEqual(['c']);
    expect(rest.cursor).toBeUndefined();
    const page = await queue.inspect.jobs({ state: 'ready' }, { limit: 2 });
    expect(
      (await queue.inspect.jobs({ state: 'ready' }, { limit: 2, cursor: String(page.cursor) })).items,
    ).toHaveLength(1);
  });
});
