import type { AdapterCapabilities, AdapterContext, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { defaultSettings } from '../../contract/limits.ts';
import { type CheckOptions, checkServer } from './checks.ts';
import { connect, type RedisClient } from './client.ts';
import { createPersist } from './durability.ts';
import { createKeepAlive } from './keep-alive.ts';
import { layout } from './lua/index.ts';
import { createMemoryGuard } from './memory-guard.ts';
import { type RedisAdapterOptions, readOptions } from './options.ts';
import { runScript } from './scripts.ts';
import { openStorage } from './storage.ts';
import { toStoreError, wrongLayout, wrongShards } from './store-errors.ts';

const capabilities: AdapterCapabilities = {
  shared: true,
  durable: true,
  clock: 'store',
  transactions: false,
  threadedKeepAlive: true,
};

/**
 * Keeps queues in Redis 7 or later (or Valkey): for many processes on many machines.
 *
 * @example
 * const queue = createQueue({ adapter: redisAdapter({ url: 'redis://localhost:6379' }), jobs: [sendMail] });
 *
 * @throws InvalidOptionError
 */
export function redisAdapter(options: RedisAdapterOptions): QueueAdapter {
  const settings = readOptions(options);
  let opening: Promise<RedisClient> | undefined;
  const storages = new Set<QueueStorage>();

  function client(): Promise<RedisClient> {
    opening ??= settings.client === undefined ? connect(settings.url) : Promise.resolve(settings.client);
    return opening;
  }

  async function open(context: AdapterContext): Promise<QueueStorage> {
    const connection = await client();
    const checks: CheckOptions = { allowEviction: settings.allowEviction, warn: settings.onWarning };
    const prefixes = Array.from(
      { length: settings.shards },
      (_, shard) => `${settings.prefix}:{${context.queue}:${shard}}:`,
    );
    const facts = await checkServer(connection, checks).catch((error: unknown) => {
      throw toStoreError(error);
    });
    const create = (): Promise<void> => createState(connection, prefixes);
    await create();
    const storage = openStorage({
      queue: context.queue,
      prefixes,
      client: connection,
      guard: createMemoryGuard(connection, settings.memoryMark, () => context.clock.monotonic()),
      persist: createPersist(connection, settings, facts),
      create,
      keepAlive: createKeepAlive(connection, settings, prefixes),
      monotonic: () => context.clock.monotonic(),
    });
    storages.add(storage);
    return storage;
  }

  return {
    name: 'redis',
    capabilities,
    open,
    close: async () => {
      for (const storage of storages) await storage.close();
      const connection = settings.client === undefined ? await opening?.catch(() => undefined) : undefined;
      connection?.disconnect();
    },
  };
}

/** Safe to call from many processes at once. The first shard decides: the others are created only by who agrees with it. */
async function createState(client: RedisClient, prefixes: readonly string[]): Promise<void> {
  const create = async (prefix: string, shard: number): Promise<void> => {
    const args = [JSON.stringify(defaultSettings), prefixes.length, shard];
    const found = await runScript(client, 'open', prefix, args).catch((error: unknown) => {
      throw toStoreError(error);
    });
    const [foundLayout, shards] = found as [number, number];
    if (foundLayout !== layout) throw wrongLayout(foundLayout);
    if (shards !== prefixes.length) throw wrongShards(shards, prefixes.length);
  };
  const [first = '', ...others] = prefixes;
  await create(first, 0);
  await Promise.all(others.map((prefix, index) => create(prefix, index + 1)));
}
