export { redisAdapter } from './adapters/redis/adapter.ts';
export type { Argument, RedisClient } from './adapters/redis/client.ts';
export type { RedisAdapterOptions } from './adapters/redis/options.ts';
