/** Every defect that the research found in other libraries, by name. */
import { manualClock } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import { type FetchHandler, fetchIdempotency } from '../src/http.ts';
import {
  createIdempotency,
  IdempotencyInProgressError,
  IdempotencyMismatchError,
  type IdempotencyOptions,
  LeaseLostError,
} from '../src/index.ts';
import { memoryStore } from '../src/memory.ts';

const request = { tenant: 'acme', operation: 'charge', key: 'k1', input: { amount: 5 } };

function setUp(options: Partial<IdempotencyOptions> = {}) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const open = () => createIdempotency({ store, clock, sweepInterval: false, heartbeat: false, ...options });
  return { clock, live: open(), zombie: open() };
}

/** An executor that stops in the middle; `wake` lets it return or throw. */
function stalled<T>() {
  let wake = (_: { readonly value: T } | { readonly error: Error }): void => undefined;
  const work = () =>
    new Promise<T>((resolve, reject) => {
      wake = (end) => ('value' in end ? resolve(end.value) : reject(end.error));
    });
  return { work, wake: (end: { readonly value: T } | { readonly error: Error }) => wake(end) };
}

function post(path: string, key: string, body: string, user = 'u1'): Request {
  const headers = { 'content-type': 'application/json', 'idempotency-key': key, 'x-user': user };
  return new Request(`http://shop.test${path}`, { method: 'POST', body, headers });
}

function web(options: Partial<IdempotencyOptions> = {}) {
  const idempotency = createIdempotency({ store: memoryStore(), sweepInterval: false, ...options });
  const protect = fetchIdempotency({ idempotency, tenant: (incoming) => incoming.headers.get('x-user') ?? '' });
  let calls = 0;
  const handler: FetchHandler = async (incoming) => {
    calls += 1;
    const headers = { 'set-cookie': `session=${incoming.headers.get('x-user')}` };
    return Response.json({ path: new URL(incoming.url).pathname, n: calls }, { headers });
  };
  return { protect, handler, calls: () => calls };
}

describe('powertools-lambda-typescript', () => {
  test('#5678: a live execution is not taken for an orphan: 10 concurrent duplicates, 1 execution', async () => {
    const { live } = setUp();
    let executions = 0;
    const work = async () => {
      executions += 1;
      await new Promise((resolve) => setImmediate(resolve));
    };
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => live.run(request, work)));
    expect(executions).toBe(1);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(refused.every(({ reason }) => reason instanceof IdempotencyInProgressError)).toBe(true);
  });

  test('#5714: takeover never overwrites a completed result', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s' });
    await live.run(request, () => 'first');
    await clock.advance(10 * 60_000);
    expect(await zombie.run(request, () => 'second')).toMatchObject({ value: 'first', replayed: true });
  });

  test('a zombie does not overwrite the live result', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s' });
    const { work, wake } = stalled<string>();
    const late = zombie.run(request, work).catch((error: unknown) => error);
    await clock.advance(31_000);
    await live.run(request, () => 'live');
    wake({ value: 'zombie' });
    expect(await late).toBeInstanceOf(LeaseLostError);
    expect(await live.run(request, () => 'third')).toMatchObject({ value: 'live', replayed: true });
  });

  test('a failing zombie does not delete the completed record', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s' });
    const { work, wake } = stalled<string>();
    const late = zombie.run(request, work).catch((error: unknown) => error);
    await clock.advance(31_000);
    await live.run(request, () => 'live');
    wake({ error: new Error('zombie failed') });
    await late;
    expect(await live.run(request, () => 'third')).toMatchObject({ value: 'live', replayed: true });
  });

  test('#5705: the identical retry of a completed call is no mismatch, and another input is', async () => {
    const { live } = setUp();
    await live.run(request, () => 1);
    expect(await live.run(request, () => 2)).toMatchObject({ value: 1 });
    await expect(live.run({ ...request, input: { amount: 6 } }, () => 2)).rejects.toThrow(IdempotencyMismatchError);
  });
});

describe('powertools-lambda-python', () => {
  test('#8049: what happens after a timeout is the operation’s choice: it can be parked', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s', operations: { charge: { onExpiredLease: 'park' } } });
    zombie.run(request, stalled().work).catch(() => undefined);
    await clock.advance(31_000);
    let withdrawals = 0;
    await live.run(request, () => (withdrawals += 1)).catch(() => undefined);
    expect(withdrawals).toBe(0);
    expect(await live.run({ ...request, operation: 'other' }, () => 1)).toMatchObject({ value: 1 });
  });

  test('#738/#1038: a dead execution does not stay in progress for ever', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s' });
    zombie.run(request, stalled().work).catch(() => undefined);
    await clock.advance(31_000);
    expect(await live.run(request, () => 'done')).toMatchObject({ value: 'done' });
  });
});

describe('idempot-js', () => {
  test('#182: an execution in flight is not overwritten', async () => {
    const { live, zombie } = setUp();
    const { work, wake } = stalled<string>();
    const first = zombie.run(request, work);
    await expect(live.run(request, () => 'second')).rejects.toThrow(IdempotencyInProgressError);
    wake({ value: 'first' });
    expect(await first).toMatchObject({ value: 'first' });
  });

  test('#181: a race is 409, never 503', async () => {
    const { protect, handler } = web();
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => (await protect(post('/a', 'k1', '{}'), handler)).status),
    );
    expect(statuses.filter((status) => status !== 200 && status !== 409)).toEqual([]);
  });

  test('the same body under another key is another request', async () => {
    const { protect, handler, calls } = web();
    await protect(post('/a', 'k1', '{"x":1}'), handler);
    expect((await protect(post('/a', 'k2', '{"x":1}'), handler)).status).toBe(200);
    expect(calls()).toBe(2);
  });

  test('tenant B with A’s key and body gets nothing of A', async () => {
    const { protect, handler, calls } = web();
    await protect(post('/a', 'k1', '{}', 'A'), handler);
    const response = await protect(post('/a', 'k1', '{}', 'B'), handler);
    expect([response.headers.get('idempotent-replayed'), response.headers.get('set-cookie')]).toEqual([
      null,
      'session=B',
    ]);
    expect(calls()).toBe(2);
  });

  test('a replay carries no cookie', async () => {
    const { protect, handler } = web();
    await protect(post('/a', 'k1', '{}'), handler);
    const replay = await protect(post('/a', 'k1', '{}'), handler);
    expect([replay.headers.get('idempotent-replayed'), replay.headers.get('set-cookie')]).toEqual(['true', null]);
  });

  test('the same key on another path does not replay the wrong route', async () => {
    const { protect, handler } = web();
    await protect(post('/a', 'k1', '{}'), handler);
    expect(await (await protect(post('/b', 'k1', '{}'), handler)).json()).toMatchObject({ path: '/b' });
  });

  test('a streamed body is not replayed empty', async () => {
    const { protect } = web();
    const streaming: FetchHandler = () =>
      new Response(ReadableStream.from([new TextEncoder().encode('a'), new TextEncoder().encode('b')]));
    await (await protect(post('/a', 'k1', '{}'), streaming)).text();
    expect(await (await protect(post('/a', 'k1', '{}'), streaming)).text()).toBe('ab');
  });

  test('a dead executor is 409 for its lease, not for a day', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s', ttl: '24h' });
    zombie.run(request, stalled().work).catch(() => undefined);
    await clock.advance(29_000);
    await expect(live.run(request, () => 1)).rejects.toThrow(IdempotencyInProgressError);
    await clock.advance(2000);
    expect(await live.run(request, () => 1)).toMatchObject({ value: 1 });
  });

  test('a 503 is not replayed', async () => {
    const { protect, handler } = web();
    expect((await protect(post('/a', 'k1', '{}'), () => new Response('', { status: 503 }))).status).toBe(503);
    expect((await protect(post('/a', 'k1', '{}'), handler)).status).toBe(200);
  });
});

describe('@node-idempotency/core', () => {
  test('the order of members does not matter', async () => {
    const { protect, handler, calls } = web();
    await protect(post('/a', 'k1', '{"a":1,"b":2}'), handler);
    expect((await protect(post('/a', 'k1', '{"b":2,"a":1}'), handler)).status).toBe(200);
    expect(calls()).toBe(1);
  });

  test('a mismatch while in flight is a mismatch, not 409', async () => {
    const { live, zombie } = setUp();
    const { work, wake } = stalled<number>();
    const first = zombie.run(request, work);
    await expect(live.run({ ...request, input: 'other' }, () => 1)).rejects.toThrow(IdempotencyMismatchError);
    wake({ value: 1 });
    await first;
  });

  test('every 409 in progress says when to come back', async () => {
    const { protect, handler } = web();
    let finish = (): void => undefined;
    const slow = protect(
      post('/a', 'k1', '{}'),
      () => new Promise((resolve) => (finish = () => resolve(new Response('')))),
    );
    await new Promise((resolve) => setTimeout(resolve, 5));
    const busy = await protect(post('/a', 'k1', '{}'), handler);
    expect([busy.status, Number(busy.headers.get('retry-after')) >= 1]).toEqual([409, true]);
    finish();
    await slow;
  });
});

describe('hand-rolled pairs of lock and cache', () => {
  test('Truxify #4696/#6898: after the first ends, a waiting duplicate reads its result instead of executing again', async () => {
    const { live, zombie, clock } = setUp({ duplicates: 'wait' });
    const { work, wake } = stalled<string>();
    const first = zombie.run(request, work);
    const second = live.run(request, () => 'again');
    await clock.advance(5000);
    wake({ value: 'first' });
    await first;
    await clock.advance(5000);
    expect(await second).toMatchObject({ value: 'first', replayed: true });
  });

  test('langwatch #6511, aegra #547, useautumn #2551: a slow live execution is not taken over by age, and only its owner ends it', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s', heartbeat: true });
    const { work, wake } = stalled<string>();
    const slow = zombie.run(request, work);
    await clock.advance(10 * 60_000);
    await expect(live.run(request, () => 'second')).rejects.toThrow(IdempotencyInProgressError);
    wake({ value: 'slow' });
    expect(await slow).toMatchObject({ value: 'slow' });
  });

  test('bullmq #3232/#3236: the end of an old record does not free the key of its successor', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s', ttl: '1m' });
    const old = stalled<string>();
    const late = zombie.run(request, old.work).catch((error: unknown) => error);
    await clock.advance(5 * 60_000);
    const young = stalled<string>();
    const next = live.run(request, young.work);
    old.wake({ error: new Error('old one failed') });
    await late;
    await expect(live.run(request, () => 'third')).rejects.toThrow(IdempotencyInProgressError);
    young.wake({ value: 'young' });
    await next;
  });

  test('bullmq #4311: an outage of what the work needs leaves no key behind that keeps later calls out', async () => {
    const { live, zombie, clock } = setUp({ lease: '30s', ttl: '24h' });
    const calls = ['fails', 'hangs', 'lost'].map((key) => ({ ...request, key }));
    const [fails, hangs, lost] = calls as [typeof request, typeof request, typeof request];
    await expect(live.run(fails, () => Promise.reject(new Error('database down')))).rejects.toThrow('database down');
    const hanging = stalled<string>();
    const late = zombie.run(hangs, hanging.work).catch((error: unknown) => error);
    zombie.run(lost, stalled().work).catch(() => undefined); // and its process dies
    expect(await live.run(fails, () => 'after')).toMatchObject({ value: 'after' });
    await clock.advance(31_000);
    expect(await live.run(hangs, () => 'after')).toMatchObject({ value: 'after' });
    expect(await live.run(lost, () => 'after')).toMatchObject({ value: 'after' });
    hanging.wake({ error: new Error('database down') });
    await late;
    for (const call of calls) expect(await live.run(call, () => 'again')).toMatchObject({ value: 'after' });
    expect(await live.list({ state: 'running' })).toEqual([]);
  });

  test('bullmq #2954: a schedule whose occurrences share a key goes on after a duplicate', async () => {
    const { live, clock } = setUp({ lease: '30s', ttl: '500ms' });
    const tick = { ...request, key: 'every second', input: undefined };
    const log: string[] = [];
    const slow = stalled<void>();
    const occurrence = async (name: string, work: () => Promise<void> | void): Promise<void> => {
      await live.run(tick, work).then(
        ({ replayed }) => log.push(`${name} ${replayed ? 'replayed' : 'executed'}`),
        (error: unknown) => log.push(`${name} ${(error as IdempotencyInProgressError).code}`),
      );
    };
    const first = occurrence('1', slow.work);
    await clock.advance(1000);
    await occurrence('2', () => undefined); // meets the first one, which still runs
    slow.wake({ value: undefined });
    await first;
    for (const name of ['3', '4']) {
      await clock.advance(1000);
      await occurrence(name, () => undefined);
    }
    expect(log).toEqual(['2 ERR_IDEMPOTENCY_IN_PROGRESS', '1 executed', '3 executed', '4 executed']);
  });

  test('jamjet #125, laravel-idempotency #1: of 32 claimants exactly one is told that the key is its own', async () => {
    const { live } = setUp();
    const request32 = { ...request, duplicates: 'replay' } as const;
    const results = await Promise.allSettled(
      Array.from({ length: 32 }, (_, index) => live.run(request32, async () => index)),
    );
    expect(results.filter((result) => result.status === 'fulfilled' && !result.value.replayed)).toHaveLength(1);
  });
});
