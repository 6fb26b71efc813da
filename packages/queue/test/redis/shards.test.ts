import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import { shardOfTenant } from '../../src/adapters/redis/shards/place.ts';
import { systemClock } from '../../src/clock.ts';
import {
  AdapterUnavailableError,
  type ClaimedJob,
  type ExchangeRequest,
  type NewJob,
  type QueueLimits,
  type QueueStorage,
  UnsupportedError,
} from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { redisOfFile } from './redis-of-file.ts';

const redis = redisOfFile();

let opened = 0;
function fresh(): string {
  opened += 1;
  return `shards-${process.pid}-${opened}`;
}

/** A storage as a process of its own would have it. */
async function open(queue: string, shards = 4): Promise<QueueStorage & AsyncDisposable> {
  const adapter = redisAdapter({ url: redis.url, shards, onWarning: () => undefined });
  const storage = await adapter.open({ queue, clock: systemClock, random: Math.random });
  return { ...storage, [Symbol.asyncDispose]: () => adapter.close() };
}

const newJob = (id: string, tenant: string, more: Partial<NewJob> = {}): NewJob => {
  const rest = { priority: 0, delay: 0, maxAttempts: 3, cost: 0, keepResult: 0, children: 0 };
  return { id, name: 'work', payload: '{}', bytes: 2, tenant, ...rest, ...more };
};
/** `count` jobs of `tenants` tenants in turns. */
const many = (count: number, tenants: number): NewJob[] =>
  Array.from({ length: count }, (_, n) => newJob(`j${n}`, `tenant-${n % tenants}`));

/** A worker's session that settles all it had with each claim. */
function openSession(storage: QueueStorage, id: string): (claim: number) => Promise<readonly ClaimedJob[]> {
  let call = 0;
  let held: readonly ClaimedJob[] = [];
  return async (claim) => {
    call += 1;
    const settle = held.map((job) => ({ kind: 'ack', jobId: job.id, fence: job.fence }) as const);
    const rest: Omit<ExchangeRequest, 'session' | 'begin' | 'call' | 'claim' | 'settle'> = {
      ...{ lease: 60_000, lostCalls: [], extend: [], progress: [], housekeeping: 100, end: false },
    };
    const answer = await storage.exchange({ session: id, begin: call === 1, call, claim, settle, ...rest });
    expect(answer.settled).toEqual(settle.map(() => 'applied'));
    held = answer.claimed;
    return held;
  };
}

const limit = (storage: QueueStorage, limits: QueueLimits): Promise<unknown> =>
  storage.control('configure', { limits });

test('the jobs of many tenants lie in all shards, those of one in one', async () => {
  const queue = fresh();
  await using storage = await open(queue);
  await storage.enqueue({ jobs: [...many(200, 50), ...many(30, 1).map((job) => ({ ...job, id: `one-${job.id}` }))] });
  const lengths = await Promise.all([0, 1, 2, 3].map((shard) => redis.admin.hlen(`millrace:{${queue}:${shard}}:b`)));
  expect(Math.min(...lengths)).toBeGreaterThan(10);
  const keys = await redis.admin.keys(`millrace:{${queue}:*}:w:0:tenant-0`);
  expect(keys).toHaveLength(1);
  expect(await redis.admin.llen(keys[0] ?? '')).toBe(34);
});

test('another number of shards is refused in words, before anything is written', async () => {
  const queue = fresh();
  {
    await using storage = await open(queue, 4);
    await storage.enqueue({ jobs: many(10, 10) });
  }
  for (const shards of [1, 3, 8]) {
    const refused = open(queue, shards);
    await expect(refused).rejects.toThrow(AdapterUnavailableError);
    await expect(refused).rejects.toThrow(`has 4 shards, this process was given \`shards: ${shards}\``);
  }
  expect(await redis.admin.exists(`millrace:{${queue}:7}:q`)).toBe(0);
  await using again = await open(queue, 4);
  expect((await again.control('counts', {})).ready).toBe(10);
});

test('fences are unique over all shards, grow for each job, and for whoever claims one after another', async () => {
  const queue = fresh();
  await using storage = await open(queue);
  await using other = await open(queue);
  await storage.enqueue({ jobs: many(400, 40) });
  const claims = [openSession(storage, 'a'), openSession(other, 'b'), openSession(other, 'c')];
  const fences: number[][] = claims.map(() => []);
  for (let turn = 0; turn < 20; turn += 1) {
    const jobs = await Promise.all(claims.map((claim) => claim(6)));
    for (const [index, some] of jobs.entries()) {
      const highest = Math.max(0, ...(fences[index] ?? []));
      expect(Math.min(Number.POSITIVE_INFINITY, ...some.map(({ fence }) => fence))).toBeGreaterThan(highest);
      fences[index]?.push(...some.map(({ fence }) => fence));
    }
  }
  const all = fences.flat();
  expect(all.length).toBe(360);
  expect(new Set(all).size).toBe(all.length);
});

test('a tenant that was idle in a shard of its own saves up nothing', async () => {
  await using storage = await open(fresh());
  const [busy, late] = ['a', 'b'].map((tenant) =>
    Array.from({ length: 100 }, (_, n) => newJob(`${tenant}${n}`, tenant)),
  );
  expect(shardOfTenant('a', 4)).not.toBe(shardOfTenant('b', 4));
  const claim = openSession(storage, 's');
  await storage.enqueue({ jobs: busy ?? [] });
  await claim(50);
  await storage.enqueue({ jobs: late ?? [] });
  const shared = (await claim(40)).filter(({ tenant }) => tenant === 'b').length;
  expect(Math.abs(shared - 20)).toBeLessThanOrEqual(2);
});

test('a flow lives with its tenant; one over several tenants is refused', async () => {
  await using storage = await open(fresh());
  const parent = newJob('parent', 'a', { children: 1 });
  const refused = storage.enqueue({ jobs: [parent, newJob('child', 'b', { parentId: 'parent' })], atomic: true });
  await expect(refused).rejects.toThrow(UnsupportedError);
  await storage.enqueue({ jobs: [parent, newJob('child', 'a', { parentId: 'parent' })], atomic: true });
  const claim = openSession(storage, 's');
  expect((await claim(5)).map(({ id }) => id)).toEqual(['child']);
  expect((await claim(5)).map(({ id }) => id)).toEqual(['parent']);
});

test('a schedule fires where its tenant lives, once, also after it was given another tenant', async () => {
  await using storage = await open(fresh());
  const put = (tenant: string): Promise<unknown> => {
    const template = JSON.stringify({ name: 'work', payload: {}, options: { tenant } });
    const schedule = { key: 's', cron: '* * * * *', timeZone: 'UTC', missed: 'once', template, nextAt: 1_000 } as const;
    return storage.control('putSchedule', { schedule });
  };
  await put('a');
  await put('b');
  expect(await storage.control('schedules', {})).toHaveLength(1);
  const move = { key: 's', expectedNextAt: 1_000, lastAt: 1_000, nextAt: 2_000 };
  expect(await storage.control('fireSchedule', { ...move, jobs: [newJob('s:1000', 'b')] })).toBe(true);
  expect(await storage.control('fireSchedule', { ...move, jobs: [newJob('s:1000', 'b')] })).toBe(false);
  expect(await storage.control('fireSchedule', { ...move, expectedNextAt: 2_000, jobs: [] })).toBe(true);
  expect((await storage.control('counts', {})).ready).toBe(1);
});

describe('limits of the queue, divided among the shards', () => {
  /** Highest number of leases that any moment saw: read in one script, so that no moment in between is missed by much. */
  async function watchLeased(queue: string, until: Promise<unknown>): Promise<number> {
    const script = `local sum = 0 for shard = 0, 3 do local q = redis.call('GET', 'millrace:{' .. ARGV[1] .. ':' .. shard .. '}:q') sum = sum + cmsgpack.unpack(q).leased end return sum`;
    let going = true;
    let highest = 0;
    void until.finally(() => {
      going = false;
    });
    while (going) highest = Math.max(highest, Number(await redis.admin.eval(script, 0, queue)));
    return highest;
  }

  test.each([1, 3, 10])(
    'never more than %i leases, whoever claims, while the limits are divided anew all the time',
    async (cap) => {
      const queue = fresh();
      await using storage = await open(queue);
      await using other = await open(queue);
      await limit(storage, { maxLeased: cap });
      const jobs = many(150, 12);
      await storage.enqueue({ jobs });
      const done = new Set<string>();
      const work = async (claim: ReturnType<typeof openSession>): Promise<void> => {
        while (done.size < jobs.length) {
          for (const { id } of await claim(4)) done.add(id);
          await sleep(1);
        }
      };
      const working = Promise.all([
        work(openSession(storage, 'a')),
        work(openSession(storage, 'b')),
        work(openSession(other, 'c')),
      ]);
      // Changing the limit to what it is makes every share invalid at once.
      const disturbing = (async () => {
        while (done.size < jobs.length) {
          await limit(other, { maxLeased: cap });
          await sleep(30);
        }
      })();
      const highest = await watchLeased(queue, working);
      await disturbing;
      expect(done.size).toBe(jobs.length);
      expect(highest).toBeLessThanOrEqual(cap);
      expect(highest).toBeGreaterThanOrEqual(Math.min(cap, 2));
    },
    60_000,
  );

  test('a cap of one goes round: no shard keeps it while others wait', async () => {
    await using storage = await open(fresh());
    await limit(storage, { maxLeased: 1 });
    await storage.enqueue({ jobs: many(16_000, 8) });
    const claim = openSession(storage, 'a');
    const shards = new Set<number>();
    await waitFor(
      async () => {
        for (let turn = 0; turn < 20; turn += 1) for (const { fence } of await claim(1)) shards.add(fence % 4);
        return shards.size === 4;
      },
      { timeout: 30_000, what: 'a job of every shard' },
    );
    // None of them was first drained by who had the lease.
    const { items } = await storage.control('tenants', { limit: 10 });
    expect(items.filter(({ ready }) => ready > 0)).toHaveLength(8);
  });

  test('a divider that stops half-way leaves less than the limit, never more, and the next one mends it', async () => {
    const queue = fresh();
    await using storage = await open(queue);
    await limit(storage, { maxLeased: 8 });
    await storage.enqueue({ jobs: many(80, 8) });
    // What a division does first: an epoch, and new settings in one shard only.
    const control = (shard: number, op: string, input: object): Promise<unknown> => runControl(queue, shard, op, input);
    const begun = JSON.parse(String(await control(0, 'beginShares', {}))) as { epoch: number };
    await control(1, 'lookShares', begun);
    const late = await control(1, 'setShare', { epoch: begun.epoch - 1, limitsVersion: 1, limits: { maxLeased: 99 } });
    expect(JSON.parse(String(late))).toEqual({ late: true });
    const claim = openSession(storage, 'a');
    await waitFor(async () => (await claim(20)).length === 8, { what: 'the whole limit in use' });
  });

  test('settings that reached the first shard only reach the others with the next exchange', async () => {
    const queue = fresh();
    await using storage = await open(queue);
    await storage.enqueue({ jobs: many(80, 8) });
    await runControl(queue, 0, 'configure', { tenantDefaults: { maxLeased: 1 } });
    const claim = openSession(storage, 'a');
    await claim(1);
    await waitFor(async () => (await claim(80)).length === 8, { what: 'one job of every tenant' });
  });

  async function runControl(queue: string, shard: number, op: string, input: object): Promise<unknown> {
    const { scripts } = await import('../../src/adapters/redis/lua/index.ts');
    return redis.admin.eval(scripts.control, 1, `millrace:{${queue}:${shard}}:`, op, JSON.stringify(input));
  }

  test('a rate is that of all shards together, in every stretch of time', async () => {
    await using storage = await open(fresh());
    const [perSecond, burst] = [40, 5];
    await limit(storage, { rate: { limit: perSecond, per: 1_000, burst } });
    await storage.enqueue({ jobs: many(200, 16) });
    const claim = openSession(storage, 'a');
    const starts: number[] = [];
    await waitFor(
      async () => {
        const before = starts.length;
        for (const _ of await claim(10)) starts.push(0);
        starts.fill(performance.now(), before);
        return starts.length >= 70;
      },
      { timeout: 20_000, what: '70 starts' },
    );
    // A start may be seen as much later as the answer took: a stretch that was seen shorter than it was proves nothing, so milliseconds are added.
    for (const [first, from] of starts.entries()) {
      for (let last = first + burst; last < starts.length; last += 1) {
        const span = (starts[last] as number) - from + 60;
        expect(last - first + 1).toBeLessThanOrEqual(burst + (span / 1_000) * perSecond + 1);
      }
    }
  });

  test('marks for waiting jobs hold over all shards, and can be used up from any', async () => {
    await using storage = await open(fresh());
    await limit(storage, { maxWaiting: 20 });
    const answers = await Promise.all(many(60, 12).map((job) => storage.enqueue({ jobs: [job] })));
    expect(answers.flat().filter(({ status }) => status === 'accepted')).toHaveLength(20);
    expect((await storage.control('counts', {})).ready).toBe(20);
  });
});
