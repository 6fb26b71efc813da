import { InvalidOptionError } from './errors.ts';
import type { IdempotencyRecord, RecordKey } from './record.ts';
import type { RedisClient } from './redis/client.ts';
import { parseRedisKey, redisKey, redisPattern } from './redis/keys.ts';
import { freshRecord, namedPart, parseRecord, phaseMember, stateLetter } from './redis/record.ts';
import { type StepArguments, type StepName, stepsTogether, type TakeStep } from './redis/steps.ts';
import type { BeginRequest, BeginResult, IdempotencyStore, ListQuery } from './store.ts';

export type { RedisClient } from './redis/client.ts';

/** Options of {@link redisStore}: a client that stays yours, or a URL. */
export interface RedisStoreOptions {
  /** An ioredis `Redis` or `Cluster`. */
  readonly redis?: RedisClient;
  /** `redis://` or `rediss://`; opened with ioredis at the first use and closed with the store. */
  readonly url?: string;
  /**
   * First part of every key.
   * @default 'millrace:idempotency'
   */
  readonly prefix?: string;
}

/** Keys looked at per round of an administrative scan. */
const scanSize = 500;

/**
 * Keeps records in Redis (6.2 or newer) or a Redis Cluster: one script per step, by the server's clock. Redis deletes what has expired;
 * `list`, `forget` and `sweep` scan the keys. What Redis loses (a failover before replication, eviction, no persistence) is forgotten:
 * set `maxmemory-policy noeviction`, and take PostgreSQL where an operation must never run twice.
 *
 * @example
 * ```ts
 * const idempotency = createIdempotency({ store: redisStore({ redis: new Redis(process.env.REDIS_URL) }) });
 * ```
 * @throws InvalidOptionError when neither `redis` nor `url` is given
 */
export function redisStore({ redis, url, prefix = 'millrace:idempotency' }: RedisStoreOptions): IdempotencyStore {
  if ((redis === undefined) === (url === undefined)) {
    throw new InvalidOptionError('Pass either `redis` or `url` to redisStore().');
  }
  let opened: Promise<RedisClient> | undefined;
  const connect = async (): Promise<RedisClient> => {
    if (redis) return redis;
    opened ??= openRedis(url as string);
    return opened;
  };
  const take = stepsTogether(connect);
  const step = async (name: StepName, key: RecordKey, ...args: StepArguments): Promise<boolean> =>
    (await take(redisKey(prefix, key), name, args)) === 1;

  return {
    name: 'redis',
    capabilities: { transactions: false, durable: true, shared: true },
    begin: (key, request) => begin(take, redisKey(prefix, key), key, request),
    extend: (key, fence, { lease, ttl }) => step('e', key, fence, lease, ttl),
    checkpoint: (key, fence, phase, value) => step('k', key, fence, phaseMember(phase, value), ''),
    complete: (key, fence, result, ttl) => step('c', key, fence, result, ttl),
    release: (key, fence, state, ttl) => step('l', key, fence, stateLetter[state], ttl),
    resolve: (key, fence, resolution) => {
      const result = resolution.state === 'done' ? resolution.result : '';
      return step('s', key, fence, stateLetter[resolution.state] + result, resolution.ttl);
    },
    async read(key) {
      return parseRecord(key, await (await connect()).get(redisKey(prefix, key)));
    },
    list: async (query) => list(await connect(), prefix, query),
    async forget(tenant) {
      let deleted = 0;
      for await (const [node, key] of scan(await connect(), redisPattern(prefix, tenant)))
        deleted += await node.del(key);
      return deleted;
    },
    async sweep(limit) {
      let parked = 0;
      for await (const [, key] of scan(await connect(), redisPattern(prefix, undefined))) {
        if ((await take(key, 'w', ['', '', ''])) === 1) parked += 1;
        if (parked >= limit) break;
      }
      return { deleted: 0, parked };
    },
    async close() {
      const client = await opened;
      opened = undefined;
      await client?.quit();
    },
  };
}

async function openRedis(url: string): Promise<RedisClient> {
  const { Redis } = await import('ioredis').catch((cause: unknown) => {
    throw new InvalidOptionError('redisStore({ url }) needs ioredis: npm install ioredis, or pass `redis`.', { cause });
  });
  return new Redis(url, { maxRetriesPerRequest: 1 }) as unknown as RedisClient;
}

async function begin(take: TakeStep, id: string, key: RecordKey, request: BeginRequest): Promise<BeginResult> {
  const answer = await take(id, 'b', [namedPart(request), request.lease, request.ttl]);
  if (typeof answer === 'number') {
    const record = freshRecord(key, request, answer);
    return { status: 'acquired', record, takenOver: false, now: record.createdAt };
  }
  const [status, now, text] = answer as readonly [string, number, string];
  const record = parseRecord(key, text) as IdempotencyRecord;
  if (status === 'mismatch' || status === 'existing') return { status, record, now };
  return { status: 'acquired', record, takenOver: status === 'takeover', now };
}

async function list(client: RedisClient, prefix: string, query: ListQuery): Promise<readonly IdempotencyRecord[]> {
  const found: IdempotencyRecord[] = [];
  for await (const [node, id] of scan(client, redisPattern(prefix, query.tenant))) {
    const record = parseRecord(parseRedisKey(prefix, id), await node.get(id));
    if (record && (query.state ?? record.state) === record.state) found.push(record);
    if (found.length >= query.limit) break;
  }
  return found.sort((a, b) => a.updatedAt - b.updatedAt);
}

/** Every matching key with the node that holds it; a key may come more than once (so says SCAN), which its users bear. */
async function* scan(client: RedisClient, pattern: string): AsyncGenerator<readonly [RedisClient, string]> {
  for (const node of client.nodes?.('master') ?? [client]) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', scanSize);
      for (const key of new Set(keys)) yield [node, key];
      cursor = next;
    } while (cursor !== '0');
  }
}
