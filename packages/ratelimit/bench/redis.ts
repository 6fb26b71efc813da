import { bulkhead, rateLimit } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { startRedis } from '@millrace/test-support';
import Bottleneck from 'bottleneck';
import { Redis } from 'ioredis';
import { RateLimiterRedis, RateLimiterUnion } from 'rate-limiter-flexible';
import { interleaved, throughput } from './loop.ts';
import { upstashLimit } from './peers/upstash.ts';
import { type Bench, faster, median, type Result } from './result.ts';

const many = 100_000_000;
const limits = [
  { limit: many, per: '1s', burst: many, mode: 'mirror' },
  { limit: many, per: '1m', burst: many, mode: 'mirror', name: 'minute' },
] as const;

/** Two limits through one Redis from one process, 64 callers. */
async function limitOfTwo(url: string, rounds: number, ms: number): Promise<Result[]> {
  const clients = Array.from({ length: 3 }, () => new Redis(url));
  const [redis, peerRedis, upstashRedis] = clients as [Redis, Redis, Redis];
  const store = redisStore({ redis });
  const union = new RateLimiterUnion(
    new RateLimiterRedis({ storeClient: peerRedis, keyPrefix: 'a', points: many, duration: 1 }),
    new RateLimiterRedis({ storeClient: peerRedis, keyPrefix: 'b', points: many, duration: 60 }),
  );
  const upstash = [
    upstashLimit(upstashRedis, 'a', many, '1 s'),
    upstashLimit(upstashRedis, 'b', many, '60 s'),
  ] as const;
  const common = { store, limits, storeTimeout: '10s' } as const;
  const plain = rateLimit({ ...common, key: 'plain', batch: false });
  const batched = rateLimit({ ...common, key: 'batched' });
  const leased = rateLimit({ ...common, key: 'leased', lease: { max: 1_000 } });
  const cpu = { plain: [] as number[], peer: [] as number[] };
  const rates = await interleaved(rounds, {
    peer: () => withCpu(redis, cpu.peer, ms, () => throughput(64, ms, () => union.consume('k'))),
    upstash: () => throughput(64, ms, () => Promise.all([upstash[0].limit('k'), upstash[1].limit('k')])),
    plain: () => withCpu(redis, cpu.plain, ms, () => throughput(64, ms, () => plain.acquire())),
    batched: () => throughput(64, ms, () => batched.acquire()),
    leased: () => throughput(64, ms, () => leased.acquire()),
  });
  for (const client of clients) client.disconnect();
  const name = 'rate-limiter-flexible union (two trips, not atomic)';
  const upstashName = '@upstash/ratelimit, two sliding windows (two trips, not atomic)';
  return [
    ...(['plain', 'batched', 'leased'] as const).map((kind) =>
      faster(`redis.limit2.${kind}`, rates[kind], rates.peer, name, 'calls/s'),
    ),
    faster('redis.limit2.cpu', median(cpu.plain), median(cpu.peer), name, 'µs of processor per call, Redis included'),
    faster('redis.limit2.upstash', rates.plain, rates.upstash, upstashName, 'calls/s'),
  ];
}

/** A rate, and into `costs` the processor time per call of this process and of Redis: other work on the machine disturbs it least. */
async function withCpu(redis: Redis, costs: number[], ms: number, run: () => Promise<number>): Promise<number> {
  const serverBefore = await serverCpu(redis);
  const before = process.cpuUsage();
  const rate = await run();
  const { user, system } = process.cpuUsage(before);
  costs.push((user + system + (await serverCpu(redis)) - serverBefore) / ((rate * ms) / 1_000));
  return rate;
}

/** Microseconds of processor time that the server has used so far. */
async function serverCpu(redis: Redis): Promise<number> {
  const times = (await redis.info('cpu')).matchAll(/used_cpu_(?:sys|user):([\d.]+)/g);
  return [...times].reduce((sum, [, seconds]) => sum + Number(seconds) * 1e6, 0);
}

/** Acquire and release of a semaphore with 100 permits, 64 callers. */
async function semaphore(url: string, rounds: number, ms: number): Promise<Result> {
  const redis = new Redis(url);
  const permits = bulkhead({ limit: 100, store: redisStore({ redis }), storeTimeout: '10s' });
  const connection = new Bottleneck.IORedisConnection({ client: new Redis(url) });
  const peer = new Bottleneck({
    id: 'bench',
    maxConcurrent: 100,
    datastore: 'ioredis',
    connection,
    clearDatastore: true,
  });
  await peer.ready();
  const rates = await interleaved(rounds, {
    ours: () => throughput(64, ms, async () => (await permits.acquire()).release()),
    peer: () => throughput(64, ms, () => peer.schedule({ expiration: 10_000 }, async () => 1)),
  });
  await peer.disconnect();
  redis.disconnect();
  return faster(
    'semaphore.redis',
    rates.ours,
    rates.peer,
    'bottleneck cluster, maxConcurrent with expiration',
    'pairs/s',
  );
}

export const redis: Bench = {
  metrics: [
    'redis.limit2.plain',
    'redis.limit2.batched',
    'redis.limit2.leased',
    'redis.limit2.cpu',
    'redis.limit2.upstash',
    'semaphore.redis',
  ],
  async run({ quick }) {
    await using server = await startRedis({ own: true });
    // Short turns: a slow moment of the machine then hits all who are compared.
    const ms = 250;
    const rounds = quick ? 5 : 25;
    return [...(await limitOfTwo(server.url, rounds, ms)), await semaphore(server.url, rounds, ms)];
  },
};
