import { randomUUID } from 'node:crypto';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache';
import type { BasePersistenceLayer } from '@aws-lambda-powertools/idempotency/persistence';
import { createIdempotency } from '@millrace/idempotency';
import { redisStore } from '@millrace/idempotency/redis';
import { startRedis } from '@millrace/test-support';
import { Idempotency as NodeIdempotency } from '@node-idempotency/core';
import { Redis } from 'ioredis';
import { type Bench, median, type Result, rounded, throughput } from './result.ts';

type Pair = (key: string) => Promise<unknown>;

const input = { repo: 'acme/api', prompt: 'x'.repeat(240), priority: 5 };
const response = { id: 'run-1', text: 'y'.repeat(180) };
const concurrency = 64;

/** Begin and complete of a new key on Redis: the whole public call of each library, on the same client, interleaved. */
export const redisPair: Bench = {
  metrics: ['redis.pair', 'redis.pair.unfenced'],
  async run({ quick }) {
    await using server = await startRedis();
    const redis = new Redis(server.url);
    const pairs = { ours: ours(redis), powertools: powertools(redis), nodeIdempotency: nodeIdempotency(redis) };
    const names = Object.keys(pairs) as (keyof typeof pairs)[];
    const seen: Record<keyof typeof pairs, number[]> = { ours: [], powertools: [], nodeIdempotency: [] };
    const total = quick ? 4000 : 20_000;
    for (const name of names) await throughput(2000, concurrency, () => pairs[name](randomUUID()));
    for (let round = 0; round < (quick ? 5 : 11); round += 1) {
      for (const name of names) seen[name].push(await throughput(total, concurrency, () => pairs[name](randomUUID())));
      await redis.flushall();
    }
    redis.disconnect();
    const figure = (metric: string, peer: keyof typeof pairs, peerName: string): Result => ({
      metric,
      ours: Math.round(median(seen.ours)),
      peer: Math.round(median(seen[peer])),
      peerName,
      unit: 'pairs/s, c=64',
      ratio: rounded(median(seen.ours.map((value, round) => value / (seen[peer][round] ?? Number.NaN)))),
    });
    return [
      figure('redis.pair', 'powertools', '@aws-lambda-powertools/idempotency 2.35.0'),
      figure('redis.pair.unfenced', 'nodeIdempotency', '@node-idempotency/core 1.0.11 (SET NX + SET)'),
    ];
  },
};

function ours(redis: Redis): Pair {
  const idempotency = createIdempotency({ store: redisStore({ redis }), sweepInterval: false });
  return (key) => idempotency.run({ tenant: 't', operation: 'run', key, input }, async () => response);
}

function powertools(redis: Redis): Pair {
  const persistenceStore: BasePersistenceLayer = new CachePersistenceLayer({
    client: {
      get: (name: string) => redis.get(name),
      set: (name: string, value: string, options?: { EX?: number; NX?: boolean }) =>
        options?.NX
          ? redis.set(name, value, 'EX', options.EX ?? 3600, 'NX')
          : redis.set(name, value, 'EX', options?.EX ?? 3600),
      del: (names: string[]) => redis.del(names),
    } as never,
  });
  const config = new IdempotencyConfig({ eventKeyJmesPath: 'key', payloadValidationJmesPath: 'input' });
  config.registerLambdaContext({ getRemainingTimeInMillis: () => 30_000 } as never);
  const call = makeIdempotent(async (_event: { key: string; input: typeof input }) => response, {
    persistenceStore,
    config,
    dataIndexArgument: 0,
  });
  return (key) => call({ key, input });
}

function nodeIdempotency(redis: Redis): Pair {
  const idempotency = new NodeIdempotency({
    setIfNotExists: async (key: string, value: string, options?: { ttl?: number }) =>
      (await redis.set(key, value, 'PX', options?.ttl ?? 86_400_000, 'NX')) === 'OK',
    set: async (key: string, value: string, options?: { ttl?: number }) =>
      void (await redis.set(key, value, 'PX', options?.ttl ?? 86_400_000)),
    get: async (key: string) => (await redis.get(key)) ?? undefined,
    del: async (key: string) => void (await redis.del(key)),
  } as never);
  return async (key) => {
    const request = { headers: { 'idempotency-key': key }, path: '/run', body: input, method: 'POST' };
    await idempotency.onRequest(request);
    await idempotency.onResponse(request, { body: response });
  };
}
