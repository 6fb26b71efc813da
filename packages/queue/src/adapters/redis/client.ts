import { AdapterUnavailableError } from '../../errors.ts';

/** What is sent to Redis. */
export type Argument = string | number;

/**
 * What the adapter uses of a client: `Redis` and `Cluster` of ioredis fit.
 * Declared here so that the package does not depend on ioredis.
 */
export interface RedisClient {
  evalsha(sha: string, keys: number, ...args: Argument[]): Promise<unknown>;
  eval(script: string, keys: number, ...args: Argument[]): Promise<unknown>;
  call(command: string, ...args: Argument[]): Promise<unknown>;
  info(section: string): Promise<string>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  duplicate(): RedisClient;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  disconnect(): void;
}

/** Connection settings that a thread can be given: plain data. */
export interface ConnectionSettings {
  readonly [option: string]: unknown;
}

interface IoRedisModule {
  readonly Redis: new (url: string, options: ConnectionSettings) => RedisClient;
}

/**
 * A connection lost in the middle of a call fails that call at once (`maxRetriesPerRequest: 0`): the worker reports it as a lost call, which the
 * store settles. Sent again by the client, a claim would lease jobs that nobody runs.
 */
export const connectionSettings: ConnectionSettings = {
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  enableReadyCheck: true,
};

/** @throws AdapterUnavailableError when ioredis is not installed */
export async function connect(url: string): Promise<RedisClient> {
  const module = await load();
  const client = new module.Redis(url, { ...connectionSettings, lazyConnect: false });
  silence(client);
  return client;
}

/** Errors surface at the calls; without a listener ioredis would print them. */
export function silence(client: RedisClient): void {
  client.on('error', () => undefined);
}

async function load(): Promise<IoRedisModule> {
  try {
    return (await import('ioredis')) as unknown as IoRedisModule;
  } catch (cause) {
    throw new AdapterUnavailableError(
      'The Redis adapter needs ioredis 5 or later: `npm install ioredis`, or pass a client of your own as `client`.',
      { cause },
    );
  }
}
