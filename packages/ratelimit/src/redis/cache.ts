import type { CacheStore, PeerStore } from '../store.ts';
import { type Keys, type RedisClient, run, script, serverTime } from './client.ts';

const lockScript = script(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
`);
const unlockScript = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);
const beatScript = script(`${serverTime}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs)
redis.call('ZADD', KEYS[1], string.format('%.0f', nowMs + tonumber(ARGV[2])), ARGV[1])
redis.call('PEXPIRE', KEYS[1], 86400000)
return redis.call('ZCARD', KEYS[1])
`);
const leaveScript = script(`return redis.call('ZREM', KEYS[1], ARGV[1])`);

/** Cached bytes in Redis. */
export class RedisCache implements CacheStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return (await this.#client.getBuffer(this.#keys.name('cache', key))) ?? undefined;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    await this.#client.set(this.#keys.name('cache', key), bytes, 'PX', Math.max(1, Math.ceil(ttlMs)));
  }

  async delete(key: string): Promise<void> {
    await this.#client.del(this.#keys.name('cache', key));
  }

  async lock(key: string, id: string, leaseMs: number): Promise<boolean> {
    return (await run(this.#client, lockScript, [this.#keys.name('lock', key)], [id, Math.ceil(leaseMs)])) === 1;
  }

  async unlock(key: string, id: string): Promise<void> {
    await run(this.#client, unlockScript, [this.#keys.name('lock', key)], [id]);
  }
}

/** Members of groups in Redis. */
export class RedisPeers implements PeerStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async beat(group: string, id: string, ttlMs: number): Promise<number> {
    return (await run(this.#client, beatScript, [this.#keys.name('peers', group)], [id, Math.ceil(ttlMs)])) as number;
  }

  async leave(group: string, id: string): Promise<void> {
    await run(this.#client, leaveScript, [this.#keys.name('peers', group)], [id]);
  }
}
