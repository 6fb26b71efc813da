import { manualClock } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import {
  createIdempotency,
  type Idempotency,
  IdempotencyDuplicateError,
  IdempotencyInProgressError,
  IdempotencyMismatchError,
  type IdempotencyOptions,
  LeaseLostError,
  OutcomeUnknownError,
} from '../src/index.ts';
import { memoryStore } from '../src/memory.ts';

const request = { tenant: 'acme', operation: 'charge', key: 'order-1', input: { amount: 5 } };

function setUp(options: Partial<IdempotencyOptions> = {}) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  const open = (more: Partial<IdempotencyOptions> = {}): Idempotency =>
    createIdempotency({ store, clock, random: () => 0.5, ...options, ...more });
  return { clock, store, idempotency: open(), open };
}

/** A promise that the test settles. */
function gate<T = void>() {
  let open: (value: T) => void = () => undefined;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('run', () => {
  test('executes once and returns the first value afterwards', async () => {
    const { idempotency } = setUp();
    let calls = 0;
    const work = async () => ({ id: ++calls });
    const first = await idempotency.run(request, work);
    const second = await idempotency.run(request, work);
    expect(first).toEqual({ value: { id: 1 }, replayed: false, bypassed: false });
    expect(second).toEqual({ value: { id: 1 }, replayed: true, bypassed: false });
  });

  test('keeps undefined and null results', async () => {
    const { idempotency } = setUp();
    await idempotency.run(request, () => undefined);
    expect(await idempotency.run(request, () => 1)).toMatchObject({ value: undefined, replayed: true });
    await idempotency.run({ ...request, key: 'b' }, () => null);
    expect(await idempotency.run({ ...request, key: 'b' }, () => 1)).toMatchObject({ value: null, replayed: true });
  });

  test('refuses the key with another input, whatever the state', async () => {
    const { idempotency } = setUp();
    const { opened, open } = gate();
    const running = idempotency.run(request, () => opened);
    const other = { ...request, input: { amount: 6 } };
    await expect(idempotency.run(other, () => 1)).rejects.toThrow(IdempotencyMismatchError);
    open();
    await running;
    await expect(idempotency.run(other, () => 1)).rejects.toThrow(IdempotencyMismatchError);
  });

  test('the same key of another tenant or operation is another record', async () => {
    const { idempotency } = setUp();
    await idempotency.run(request, () => 'acme');
    expect(await idempotency.run({ ...request, tenant: 'other' }, () => 'other')).toMatchObject({ value: 'other' });
    expect(await idempotency.run({ ...request, operation: 'refund' }, () => 'refund')).toMatchObject({
      value: 'refund',
    });
  });

  test('a second call while the first runs is told when to come back', async () => {
    const { idempotency, clock } = setUp();
    const slow = (key: string) =>
      idempotency.run({ ...request, key }, () => new Promise((resolve) => clock.setTimeout(() => resolve(1), 4000)));
    const first = slow('a');
    await clock.advance(4000);
    await first;
    const second = slow('b');
    await clock.advance(1000);
    const error = await slow('b').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(IdempotencyInProgressError);
    // It took 4 s once (deviation 2 s), and 1 s of this one has passed.
    expect(error).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_PROGRESS', retryAfter: 5000 });
    await clock.advance(3000);
    await second;
  });

  test("duplicates: 'reject' carries the first value", async () => {
    const { idempotency } = setUp({ duplicates: 'reject' });
    await idempotency.run(request, () => ({ runId: 'r1' }));
    const error = await idempotency.run(request, () => 2).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(IdempotencyDuplicateError);
    expect(error).toMatchObject({ value: { runId: 'r1' } });
  });

  test("duplicates: 'wait' gets the value of the first", async () => {
    const { idempotency, clock, open } = setUp({ duplicates: 'wait' });
    const { opened, open: finish } = gate<string>();
    const first = idempotency.run(request, () => opened);
    const here = idempotency.run(request, () => 'here');
    const elsewhere = open().run(request, () => 'elsewhere');
    await clock.advance(500);
    finish('first');
    await first;
    expect(await here).toMatchObject({ value: 'first', replayed: true });
    await clock.advance(1000);
    expect(await elsewhere).toMatchObject({ value: 'first', replayed: true });
  });

  test("duplicates: 'wait' gives up after maxWait, and at once when the caller does", async () => {
    const { idempotency, clock } = setUp({ duplicates: 'wait', maxWait: '2s' });
    const { opened, open } = gate();
    const first = idempotency.run(request, () => opened);
    const late = idempotency.run(request, () => 1).catch((thrown: unknown) => thrown);
    const caller = new AbortController();
    const gone = idempotency.run({ ...request, signal: caller.signal }, () => 1).catch((thrown: unknown) => thrown);
    await clock.advance(100);
    caller.abort(new Error('client left'));
    expect(await gone).toMatchObject({ message: 'client left' });
    await clock.advance(2000);
    expect(await late).toBeInstanceOf(IdempotencyInProgressError);
    open();
    await first;
  });

  test("duplicates: 'attach' says where the first can be followed", async () => {
    const { idempotency } = setUp({ duplicates: 'attach', attach: (record) => `/runs/${record.key}` });
    const { opened, open } = gate();
    const first = idempotency.run(request, () => opened);
    await expect(idempotency.run(request, () => 1)).rejects.toMatchObject({ location: '/runs/order-1' });
    open();
    await first;
  });

  test('a failed execution leaves the key free for the next, with its phases and a larger fence', async () => {
    const { idempotency } = setUp();
    const done: string[] = [];
    const fences: number[] = [];
    const work = (fail: boolean) =>
      idempotency.run(request, async ({ phase, fence, attempt }) => {
        fences.push(fence);
        const id = await phase('create', () => {
          done.push('create');
          return 'id-1';
        });
        if (fail) throw new Error('later');
        return { id, attempt };
      });
    await expect(work(true)).rejects.toThrow('later');
    expect(await work(false)).toMatchObject({ value: { id: 'id-1', attempt: 2 } });
    expect(done).toEqual(['create']);
    expect(fences[1]).toBeGreaterThan(fences[0] as number);
  });

  test('derived keys are stable over attempts and differ by name and record', async () => {
    const { idempotency } = setUp();
    const seen: string[] = [];
    const collect = (key: string) =>
      idempotency
        .run({ ...request, key }, ({ derive }) => {
          seen.push(derive('pr'), derive('mail'));
          throw new Error('again');
        })
        .catch(() => undefined);
    await collect('a');
    await collect('a');
    await collect('b');
    expect(seen.slice(0, 2)).toEqual(seen.slice(2, 4));
    expect(new Set(seen).size).toBe(4);
  });

  test('forgets after the ttl', async () => {
    const { idempotency, clock } = setUp({ ttl: '1h' });
    await idempotency.run(request, () => 1);
    await clock.advance(3_600_000 + 1);
    expect(await idempotency.run(request, () => 2)).toMatchObject({ value: 2, replayed: false });
  });
});

describe('leases', () => {
  test('the heartbeat keeps a long execution alive', async () => {
    const { idempotency, clock } = setUp({ lease: '30s' });
    const { opened, open } = gate();
    const first = idempotency.run(request, () => opened);
    await clock.advance(10 * 60_000);
    await expect(idempotency.run(request, () => 2)).rejects.toThrow(IdempotencyInProgressError);
    open();
    await first;
  });

  test('a dead executor is taken over, and what it writes later has no effect', async () => {
    const { idempotency, clock, open } = setUp({ lease: '30s', heartbeat: false });
    const zombie = gate<string>();
    const signals: AbortSignal[] = [];
    const first = idempotency.run(request, ({ signal }) => {
      signals.push(signal);
      return zombie.opened;
    });
    const lost = first.catch((thrown: unknown) => thrown);
    await clock.advance(30_000);
    expect(signals[0]?.aborted).toBe(true);
    const second = await open().run(request, ({ takenOver, attempt }) => ({ takenOver, attempt }));
    expect(second.value).toEqual({ takenOver: true, attempt: 2 });
    zombie.open('zombie');
    expect(await lost).toBeInstanceOf(LeaseLostError);
    expect(await idempotency.run(request, () => 'third')).toMatchObject({ value: second.value, replayed: true });
  });

  test("'park' keeps everybody out until somebody decides", async () => {
    const { idempotency, clock, open } = setUp({ lease: '30s', heartbeat: false, onExpiredLease: 'park' });
    const first = idempotency.run(request, () => new Promise(() => undefined));
    first.catch(() => undefined);
    await clock.advance(31_000);
    const error = await open()
      .run(request, () => 2)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OutcomeUnknownError);
    const parked = await idempotency.list({ state: 'parked' });
    expect(parked).toHaveLength(1);
    const { fence } = error as OutcomeUnknownError;
    expect(await idempotency.resolve(request, { fence: fence - 1, as: 'retryable' })).toBe(false);
    expect(await idempotency.resolve(request, { fence, as: 'done', value: 'looked up' })).toBe(true);
    expect(await idempotency.run(request, () => 2)).toMatchObject({ value: 'looked up', replayed: true });
  });

  test('a sweep parks the dead of operations that park, and nothing expires before it is decided', async () => {
    const { idempotency, clock } = setUp({ lease: '30s', ttl: '1h', heartbeat: false, onExpiredLease: 'park' });
    idempotency.run(request, () => new Promise(() => undefined)).catch(() => undefined);
    await clock.advance(48 * 3_600_000);
    const record = await idempotency.peek(request);
    expect(record).toMatchObject({ state: 'parked' });
    expect(await idempotency.resolve(request, { fence: record?.fence ?? 0, as: 'retryable' })).toBe(true);
    expect(await idempotency.run(request, () => 2)).toMatchObject({ value: 2 });
  });

  test.each([
    ['run', { value: 'again', replayed: false }],
    [{ value: 'found' }, { value: 'found', replayed: false }],
  ] as const)('reconcile may decide %j', async (decision, expected) => {
    const { idempotency, clock, open } = setUp({
      lease: '30s',
      heartbeat: false,
      onExpiredLease: (record) => (record.phases.create ? decision : 'park'),
    });
    idempotency
      .run(request, async ({ phase }) => {
        await phase('create', () => 1);
        await new Promise(() => undefined);
      })
      .catch(() => undefined);
    await clock.advance(31_000);
    expect(await open().run(request, () => 'again')).toMatchObject(expected);
    expect(await open().run(request, () => 'third')).toMatchObject({ value: expected.value, replayed: true });
  });

  test('reconcile may park', async () => {
    const { idempotency, clock, open } = setUp({ lease: '30s', heartbeat: false, onExpiredLease: () => 'park' });
    idempotency.run(request, () => new Promise(() => undefined)).catch(() => undefined);
    await clock.advance(31_000);
    await expect(open().run(request, () => 2)).rejects.toThrow(OutcomeUnknownError);
    await expect(open().run(request, () => 2)).rejects.toThrow(OutcomeUnknownError);
  });

  test('an unknown outcome of a call inside the work is the work’s own failure', async () => {
    const { idempotency } = setUp();
    const inner = new OutcomeUnknownError({ ...request, fence: 1 });
    await expect(idempotency.run(request, () => Promise.reject(inner))).rejects.toBe(inner);
    expect(await idempotency.peek(request)).toMatchObject({ state: 'retryable' });
  });

  test('no timer is left behind', async () => {
    const { idempotency, clock } = setUp({ sweepInterval: false });
    await idempotency.run(request, () => 1);
    await idempotency.run({ ...request, key: 'b' }, () => Promise.reject(new Error('no'))).catch(() => undefined);
    expect(clock.pending()).toBe(0);
  });
});
