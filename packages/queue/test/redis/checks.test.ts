import { inspect } from 'node:util';
import { type RedisServer, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import {
  AdapterUnavailableError,
  InvalidOptionError,
  type NewJob,
  type QueueStorage,
  StoreUnavailableError,
} from '../../src/index.ts';
import { type RedisAdapterOptions, redisAdapter } from '../../src/redis.ts';

let redis: RedisServer;
let admin: Redis;

beforeAll(async () => {
  redis = await startRedis({ own: true });
  admin = new Redis(redis.url);
});
beforeEach(async () => {
  await admin.config('SET', 'maxmemory-policy', 'noeviction');
  await admin.config('SET', 'maxmemory', '0');
  await admin.flushall();
});
afterAll(async () => {
  admin.disconnect();
  await redis.stop();
});

async function open(options: Partial<RedisAdapterOptions> = {}): Promise<QueueStorage & AsyncDisposable> {
  const adapter = redisAdapter({ url: redis.url, onWarning: () => undefined, ...options });
  const close = (): Promise<void> => adapter.close();
  try {
    const storage = await adapter.open({ queue: 'checks', clock: systemClock, random: Math.random });
    return { ...storage, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function newJob(id: string, payload = '{}'): NewJob {
  const rest = { tenant: '', priority: 0, delay: 0, maxAttempts: 3, cost: 0, keepResult: 0, children: 0 };
  return { id, name: 'work', payload, bytes: payload.length, ...rest };
}

const nothing = { lostCalls: [], settle: [], extend: [], progress: [], housekeeping: 100, end: false, claim: 0 };

describe('when a queue is opened', () => {
  test('a server that evicts keys is refused, unless allowed', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect(open()).rejects.toThrow(AdapterUnavailableError);
    await expect(open()).rejects.toThrow(/noeviction/);
    await using storage = await open({ allowEviction: true });
    expect((await storage.control('counts', {})).ready).toBe(0);
  });

  test('a server without an append-only file is told of', async () => {
    const warnings: string[] = [];
    await using _storage = await open({ onWarning: (message) => warnings.push(message) });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/appendonly yes/);
  });

  test('a queue of another layout is refused, at opening and in every call', async () => {
    await using storage = await open();
    const other = `#!lua\nlocal q = cmsgpack.unpack(redis.call('GET', KEYS[1])) q.layout = 99 redis.call('SET', KEYS[1], cmsgpack.pack(q))`;
    await admin.eval(other, 1, 'millrace:{checks:0}:q');
    await expect(open()).rejects.toThrow(/layout 99/);
    await expect(storage.enqueue({ jobs: [newJob('a')] })).rejects.toThrow(AdapterUnavailableError);
  });

  test('an error shows no payload, not even as its cause', async () => {
    await using storage = await open();
    await admin.set('millrace:{checks:0}:b', 'no hash');
    const error: unknown = await storage
      .enqueue({ jobs: [newJob('a', '"a secret"')] })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 20, maxStringLength: null, showHidden: true })).not.toContain('a secret');
  });

  test('a server that is not there may come back', async () => {
    await expect(open({ url: 'redis://127.0.0.1:1' })).rejects.toThrow(StoreUnavailableError);
  });
});

describe('when memory is short', () => {
  test('jobs are refused with a time to wait, and acks go through, even beyond maxmemory', async () => {
    await using storage = await open();
    await storage.enqueue({ jobs: [newJob('a'), newJob('b')] });
    const session = { ...nothing, session: 's', lease: 60_000 };
    const { claimed } = await storage.exchange({ ...session, begin: true, call: 1, claim: 2 });
    await admin.config('SET', 'maxmemory', '1mb');
    await using late = await open();
    const answers = await late.enqueue({ jobs: [newJob('c')] });
    expect(answers).toEqual([
      { status: 'rejected', reason: { scope: 'queue', limit: 'store' }, retryAfter: expect.any(Number) as number },
    ]);
    // The first storage has looked at the memory before it became short: here Redis itself refuses.
    expect((await storage.enqueue({ jobs: [newJob('d')] }))[0]?.status).toBe('rejected');
    const settle = claimed.map(({ id, fence }) => ({ kind: 'ack' as const, jobId: id, fence }));
    const { settled } = await storage.exchange({ ...session, begin: false, call: 2, settle });
    expect(settled).toEqual(['applied', 'applied']);
  });
});

describe('durability wait', () => {
  test('an enqueue that no replica has seen fails in words', async () => {
    await using storage = await open({ durability: 'wait', replicas: 1, waitTimeout: 50 });
    await expect(storage.enqueue({ jobs: [newJob('a')] })).rejects.toThrow(/0 of 1 replicas/);
  });

  test('no replicas to wait for', async () => {
    await using storage = await open({ url: `${redis.url}?durability=wait&replicas=0` });
    expect((await storage.enqueue({ jobs: [newJob('a')] }))[0]?.status).toBe('accepted');
  });
});

describe('options', () => {
  test.each([
    [{}, /either `url` or `client`/],
    [{ url: 'postgres://x' }, /redis:\/\/ or rediss:\/\//],
    [{ url: 'nonsense' }, /must look like/],
    [{ url: 'redis://x', prefix: 'a{b}' }, /prefix/],
    [{ url: 'redis://x?durability=maybe' }, /durability/],
    [{ url: 'redis://x', replicas: -1 }, /replicas/],
    [{ url: 'redis://x', memoryMark: 2 }, /memoryMark/],
  ])('%j is refused in words', (options: RedisAdapterOptions, words) => {
    expect(() => redisAdapter(options)).toThrow(InvalidOptionError);
    expect(() => redisAdapter(options)).toThrow(words);
  });

  test('the rights in the documentation are enough, and one less is not', async () => {
    const { readFile } = await import('node:fs/promises');
    const page = await readFile(new URL('../../../../docs/adapters/redis.md', import.meta.url), 'utf8');
    const rules = /ACL SETUSER millrace (.*)/.exec(page)?.[1]?.replace('<password>', 'secret').split(' ') ?? [];
    await admin.call('ACL', 'SETUSER', 'millrace', ...rules);
    const { port } = redis;
    const url = `redis://millrace:secret@127.0.0.1:${port}`;
    {
      await using storage = await open({ url });
      await storage.enqueue({ jobs: [newJob('a')] });
      const session = { ...nothing, session: 's', lease: 60_000, begin: true, call: 1, claim: 1 };
      expect((await storage.exchange(session)).claimed).toHaveLength(1);
      expect((await storage.control('list', { filter: {}, limit: 10 })).items).toHaveLength(1);
    }
    await admin.call('ACL', 'SETUSER', 'millrace', '-lpop');
    await using poor = await open({ url });
    await poor.enqueue({ jobs: [newJob('b')] });
    const session = { ...nothing, session: 't', lease: 60_000, begin: true, call: 1, claim: 1 };
    await expect(poor.exchange(session)).rejects.toThrow();
  });
});
