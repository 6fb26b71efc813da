import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { KeepAlive, KeepAliveRequest, QueueStorage } from '../../contract/index.ts';
import { type ConnectionSettings, connectionSettings, type RedisClient } from './client.ts';
import { keepAliveThread } from './keep-alive-thread.ts';
import { scripts } from './lua/index.ts';
import type { RedisSettings } from './options.ts';

/** Milliseconds between two signs of life of the event loop. */
const signOfLifeEvery = 250;

/** How the thread connects. */
interface ThreadConnection {
  readonly url?: string;
  readonly options: ConnectionSettings;
}

/**
 * @returns how to keep a session alive from a thread with a connection of its own; undefined when the thread cannot make one like the given
 *   client's (a Cluster, or no ioredis): then the worker renews by its own timer
 */
export function createKeepAlive(
  client: RedisClient,
  settings: RedisSettings,
  prefixes: readonly string[],
): QueueStorage['keepAlive'] {
  const connection = threadConnection(client, settings);
  const ioredis = locateIoredis();
  if (connection === undefined || ioredis === undefined) return undefined;
  return (request) => startThread(request, { ...connection, ioredis, prefixes, script: scripts.renew });
}

function startThread(
  request: KeepAliveRequest,
  data: ThreadConnection & { readonly ioredis: string; readonly prefixes: readonly string[]; readonly script: string },
): KeepAlive {
  const cells = new BigInt64Array(new SharedArrayBuffer(16));
  const aliveNow = (): void => void Atomics.store(cells, 1, process.hrtime.bigint());
  aliveNow();
  const timer = setInterval(aliveNow, signOfLifeEvery);
  timer.unref();
  const { session, lease, every, blockedLimit } = request;
  const workerData = { ...data, session, lease, every, blockedLimit: Math.round(blockedLimit), cells };
  const thread = new Worker(keepAliveThread, { eval: true, workerData, execArgv: [] });
  thread.unref();
  // Without the thread the worker's own exchanges renew; the watch over the lease sees what is certain.
  thread.on('error', () => undefined);
  const offset = performance.now() - Number(process.hrtime.bigint()) / 1e6;
  return {
    renewedAt: () => {
      const renewed = Atomics.load(cells, 0);
      return renewed === 0n ? undefined : Number(renewed) / 1e6 + offset;
    },
    stop: async () => {
      clearInterval(timer);
      await thread.terminate();
    },
  };
}

function threadConnection(client: RedisClient, { client: given, url }: RedisSettings): ThreadConnection | undefined {
  if (given === undefined) return { url, options: connectionSettings };
  const { options, isCluster } = client as { readonly options?: ConnectionSettings; readonly isCluster?: boolean };
  if (options === undefined || isCluster === true) return undefined;
  return { options: { ...cloneable(options), lazyConnect: false } };
}

/** A thread can be given data, not functions. */
function cloneable(options: ConnectionSettings): ConnectionSettings {
  const plain = Object.entries(options).filter(([, value]) => typeof value !== 'function' && isPlain(value));
  return Object.fromEntries(plain);
}

function isPlain(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}

function locateIoredis(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('ioredis');
  } catch {
    return undefined;
  }
}
