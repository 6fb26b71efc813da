import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  createIdempotency,
  type Encryption,
  type IdempotencyInstrumentation,
  type IdempotencyStore,
  InvalidDurationError,
  InvalidKeyError,
  InvalidOptionError,
  StoredResultError,
  StoreUnavailableError,
} from '../src/index.ts';
import { memoryStore } from '../src/memory.ts';

const request = { tenant: 'acme', operation: 'charge', key: 'k1', input: 1 };

/** A store that does what it is asked and then fails, as when the answer is lost on its way; `times` times per method. */
function losingAnswers(
  inner: IdempotencyStore,
  losses: Partial<Record<keyof IdempotencyStore, number>>,
): IdempotencyStore {
  const left: Record<string, number> = { ...losses };
  return new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || !(String(name) in left)) return member;
      return async (...args: unknown[]) => {
        const answer = await (member as (...args: unknown[]) => Promise<unknown>)(...args);
        const remaining = left[String(name)] ?? 0;
        left[String(name)] = remaining - 1;
        if (remaining > 0) throw new Error('connection reset');
        return answer;
      };
    },
  });
}

describe('a store that fails', () => {
  test('a begin whose answer was lost is recognized as its own', async () => {
    const store = losingAnswers(memoryStore(), { begin: 1 });
    const idempotency = createIdempotency({ store, sweepInterval: false, onExpiredLease: 'park' });
    expect(await idempotency.run(request, () => 1)).toMatchObject({ value: 1, replayed: false });
  });

  test('a completion whose answer was lost is recognized as its own', async () => {
    const store = losingAnswers(memoryStore(), { complete: 2 });
    const idempotency = createIdempotency({ store, sweepInterval: false });
    expect(await idempotency.run(request, () => 1)).toMatchObject({ value: 1, replayed: false });
    expect(await idempotency.run(request, () => 2)).toMatchObject({ value: 1, replayed: true });
  });

  test('an outage shorter than the lease costs nothing', async () => {
    const inner = memoryStore();
    let down = 3;
    const store: IdempotencyStore = {
      ...inner,
      complete: (...args) => (down-- > 0 ? Promise.reject(new Error('down')) : inner.complete(...args)),
    };
    const idempotency = createIdempotency({ store, sweepInterval: false });
    expect(await idempotency.run(request, () => 1)).toMatchObject({ value: 1 });
  });

  test('an outage longer than the lease is a lost lease', async () => {
    const store: IdempotencyStore = { ...memoryStore(), complete: () => Promise.reject(new Error('down')) };
    const idempotency = createIdempotency({ store, sweepInterval: false, lease: 300, heartbeat: false });
    await expect(idempotency.run(request, () => 1)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
  });

  test('a store that does not answer is given up', async () => {
    const store: IdempotencyStore = { ...memoryStore(), begin: () => new Promise(() => undefined) };
    const idempotency = createIdempotency({ store, sweepInterval: false, storeTimeout: 20 });
    const error = await idempotency.run(request, () => 1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({ retryAfter: 1000, cause: { message: 'no answer within 20 ms' } });
  });
});

describe('the cache', () => {
  test('serves finished records without the store, compares fingerprints, forgets', async () => {
    const inner = memoryStore();
    let begins = 0;
    const store: IdempotencyStore = {
      ...inner,
      begin: (...args) => {
        begins += 1;
        return inner.begin(...args);
      },
    };
    const idempotency = createIdempotency({ store, cache: {}, sweepInterval: false });
    await idempotency.run(request, () => ({ a: 1 }));
    const first = await idempotency.run(request, () => ({ a: 2 }));
    const before = begins;
    const second = await idempotency.run(request, () => ({ a: 3 }));
    expect([begins - before, second.value]).toEqual([0, { a: 1 }]);
    expect(second.value).not.toBe(first.value);
    await expect(idempotency.run({ ...request, input: 2 }, () => 1)).rejects.toMatchObject({
      code: 'ERR_IDEMPOTENCY_MISMATCH',
    });
    await expect(idempotency.run({ ...request, duplicates: 'reject' }, () => 1)).rejects.toMatchObject({
      value: { a: 1 },
    });
    expect(await idempotency.forget('acme')).toBe(1);
    expect(await idempotency.run(request, () => 'new')).toMatchObject({ value: 'new', replayed: false });
  });
});

describe('encryption', () => {
  const aes = (key: Buffer): Encryption => ({
    encrypt(plain, context) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]);
    },
    decrypt(bytes, context) {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
    },
  });

  test('results and phases are unreadable in the store, and bound to their record', async () => {
    const store = memoryStore();
    const idempotency = createIdempotency({ store, encryption: aes(randomBytes(32)), sweepInterval: false });
    await idempotency.run(request, async ({ phase }) => {
      await phase('token', () => 'secret-1');
      return 'secret-2';
    });
    const record = await store.read(request);
    expect(JSON.stringify(record)).not.toMatch(/secret/);
    expect(await idempotency.peek(request)).toMatchObject({ value: 'secret-2', phases: { token: 'secret-1' } });
    expect(await idempotency.run(request, () => '')).toMatchObject({ value: 'secret-2', replayed: true });
    const other = { ...request, key: 'k2' };
    const { record: moved } = await store.begin(other, {
      fingerprint: record?.fingerprint ?? '',
      owner: 'thief',
      onExpiredLease: 'takeover',
      lease: 1000,
      ttl: 1000,
    });
    await store.complete(other, moved.fence, record?.result ?? '', 1000);
    await expect(idempotency.run(other, () => '')).rejects.toThrow(StoredResultError);
  });

  test('without the key, the result is refused and not taken for something else', async () => {
    const store = memoryStore();
    await createIdempotency({ store, encryption: aes(randomBytes(32)), sweepInterval: false }).run(request, () => 1);
    await expect(createIdempotency({ store, sweepInterval: false }).run(request, () => 2)).rejects.toThrow(
      'configure `encryption`',
    );
  });
});

describe('instrumentation', () => {
  test('says how each call ended, and never shows a key', async () => {
    const events: unknown[] = [];
    const instrumentation: IdempotencyInstrumentation = {
      aroundRun: (info, next) => {
        events.push(['run', info]);
        return next();
      },
      aroundExecution: (info, next) => {
        events.push(['execution', info]);
        return next();
      },
      onOutcome: (event) => void events.push(event.outcome),
      onSwept: (event) => void events.push(event),
    };
    const idempotency = createIdempotency({ store: memoryStore(), instrumentation, sweepInterval: false });
    const named = { ...request, key: 'guessable-key', traceparent: '00-1' };
    await idempotency.run(named, () => 1);
    await idempotency.run(named, () => 1);
    await idempotency.run({ ...named, input: 2 }, () => 1).catch(() => undefined);
    await idempotency.run({ ...named, key: 'b' }, () => Promise.reject(new Error('no'))).catch(() => undefined);
    await idempotency.run({ ...named, duplicates: 'reject' }, () => 1).catch(() => undefined);
    await idempotency.sweep();
    expect(events.filter((event) => typeof event === 'string')).toEqual([
      'executed',
      'replayed',
      'mismatch',
      'failed',
      'duplicate',
    ]);
    expect(events[1]).toMatchObject(['execution', { tenant: 'acme', attempt: 1, traceparent: '00-1' }]);
    expect(events.at(-1)).toEqual({ store: 'memory', deleted: 0, parked: 0 });
    expect(JSON.stringify(events)).not.toContain('guessable-key');
  });

  test('the store’s reachability is reported when it changes', async () => {
    const inner = memoryStore();
    let down = true;
    const store: IdempotencyStore = {
      ...inner,
      begin: (...args) => (down ? Promise.reject(new Error('x')) : inner.begin(...args)),
    };
    const seen: boolean[] = [];
    const instrumentation = { onStore: ({ available }: { available: boolean }) => void seen.push(available) };
    const idempotency = createIdempotency({ store, instrumentation, sweepInterval: false });
    for (const _ of [1, 2]) await idempotency.run(request, () => 1).catch(() => undefined);
    down = false;
    await idempotency.run(request, () => 1);
    expect(seen).toEqual([false, true]);
  });
});

describe('bad input', () => {
  const idempotency = createIdempotency({ store: memoryStore(), sweepInterval: false });

  test.each([
    { key: '' },
    { key: 'é' },
    { key: 'x'.repeat(256) },
    { key: 5 as never },
    { tenant: '' },
    { tenant: undefined as never },
    { operation: 'a\0b' },
    { operation: '\ud800' },
  ])('%j is an InvalidKeyError', async (change) => {
    await expect(idempotency.run({ ...request, ...change }, () => 1)).rejects.toThrow(InvalidKeyError);
  });

  test('options that cannot work', () => {
    const store = memoryStore();
    expect(() => createIdempotency({} as never)).toThrow(InvalidOptionError);
    expect(() => createIdempotency({ store, ttl: 'soon' as never })).toThrow(InvalidDurationError);
    expect(() => createIdempotency({ store, lease: 0 })).toThrow(InvalidOptionError);
    expect(() => createIdempotency({ store, duplicates: 'attach' })).toThrow('needs `attach`');
  });

  test('a result without a JSON form frees the key', async () => {
    const key = { ...request, key: 'bigint' };
    await expect(idempotency.run(key, () => 1n)).rejects.toMatchObject({ code: 'ERR_UNSERIALIZABLE' });
    expect(await idempotency.run(key, () => 1)).toMatchObject({ value: 1 });
  });

  test('tx on a store without transactions says what to use', async () => {
    await expect(idempotency.tx(undefined, request, () => 1)).rejects.toThrow('postgresStore()');
  });
});
