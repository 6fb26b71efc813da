import type { Duration } from '../../duration.ts';
import { toMilliseconds } from '../../duration.ts';
import { InvalidOptionError } from '../../errors.ts';
import type { RedisClient } from './client.ts';

/** Options of {@link redisAdapter}. Either `url` or `client`. */
export interface RedisAdapterOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss://…` for TLS. Options can stand in its query: `?prefix=…&shards=4&durability=wait&replicas=1`.
   */
  readonly url?: string;
  /** A client of ioredis (`Redis` or `Cluster`) that you keep and close yourself. */
  readonly client?: RedisClient;
  /** First part of all keys. @default 'millrace' */
  readonly prefix?: string;
  /**
   * Spreads each queue over this many slots of a Cluster (or parts of one server): tenants are dealt out to shards. From 1 to 64; the same in every process, and
   * as it was when the queue was made. @default 1
   */
  readonly shards?: number;
  /**
   * `server`: an enqueue is answered when the server has it; what `appendfsync` has not written yet is lost with the machine.
   * `wait`: not before the append-only file (Redis 7.2) and `replicas` replicas have it. @default 'server'
   */
  readonly durability?: 'server' | 'wait';
  /** Replicas that `durability: 'wait'` waits for. @default 1 */
  readonly replicas?: number;
  /** How long `durability: 'wait'` waits before the call fails. @default '2s' */
  readonly waitTimeout?: Duration;
  /** Accept a server that deletes keys when memory is short. @default false */
  readonly allowEviction?: boolean;
  /** Share of `maxmemory` above which jobs are refused; the rest is for ending what runs. @default 0.9 */
  readonly memoryMark?: number;
  /** Told once about a server without persistence. @default process.emitWarning */
  readonly onWarning?: (message: string) => void;
}

/** Options, complete. */
export interface RedisSettings extends Required<Omit<RedisAdapterOptions, 'client' | 'waitTimeout'>> {
  readonly client: RedisClient | undefined;
  /** Milliseconds. */
  readonly waitTimeout: number;
}

/** @throws InvalidOptionError */
export function readOptions(options: RedisAdapterOptions): RedisSettings {
  if ((options.url === undefined) === (options.client === undefined)) {
    throw new InvalidOptionError('redisAdapter() needs either `url` or `client`.');
  }
  const { url, query } = readUrl(options.url);
  const given = { ...query, ...options };
  const settings: RedisSettings = {
    url,
    client: options.client,
    prefix: given.prefix ?? 'millrace',
    shards: given.shards ?? 1,
    durability: given.durability ?? 'server',
    replicas: given.replicas ?? 1,
    waitTimeout: toMilliseconds(given.waitTimeout ?? '2s', 'waitTimeout'),
    allowEviction: given.allowEviction ?? false,
    memoryMark: given.memoryMark ?? 0.9,
    onWarning: given.onWarning ?? ((message) => process.emitWarning(message, { code: 'MILLRACE_REDIS' })),
  };
  check(settings);
  return settings;
}

function check({ prefix, shards, durability, replicas, memoryMark }: RedisSettings): void {
  if (!/^[\w.:-]{1,100}$/.test(prefix)) {
    throw new InvalidOptionError(
      `\`prefix\` may have 1 to 100 letters, digits, "_", "-", "." and ":"; it is ${JSON.stringify(prefix)}.`,
    );
  }
  if (!Number.isInteger(shards) || shards < 1 || shards > 64) {
    throw new InvalidOptionError(`\`shards\` must be an integer from 1 to 64; it is ${shards}.`);
  }
  if (durability !== 'server' && durability !== 'wait') {
    throw new InvalidOptionError(`\`durability\` must be 'server' or 'wait'; it is ${JSON.stringify(durability)}.`);
  }
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw new InvalidOptionError(`\`replicas\` must be an integer from 0 up; it is ${replicas}.`);
  }
  if (!(memoryMark > 0 && memoryMark <= 1)) {
    throw new InvalidOptionError(`\`memoryMark\` must be above 0 and at most 1; it is ${memoryMark}.`);
  }
}

/** Takes our options out of the query; what is left is ioredis's. */
function readUrl(text: string | undefined): { readonly url: string; readonly query: Partial<RedisAdapterOptions> } {
  if (text === undefined) return { url: '', query: {} };
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new InvalidOptionError('`url` must look like redis://user:password@host:6379/0.', { cause });
  }
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw new InvalidOptionError(`\`url\` must begin with redis:// or rediss://; it begins with ${url.protocol}//.`);
  }
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  };
  const [prefix, shards, durability, replicas] = [take('prefix'), take('shards'), take('durability'), take('replicas')];
  const query = {
    ...(prefix !== undefined && { prefix }),
    ...(shards !== undefined && { shards: Number(shards) }),
    ...(durability !== undefined && { durability: durability as 'server' | 'wait' }),
    ...(replicas !== undefined && { replicas: Number(replicas) }),
  };
  return { url: url.toString(), query };
}
