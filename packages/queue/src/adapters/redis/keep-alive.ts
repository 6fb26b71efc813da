import { createRequire } from 'node:module';
import type { QueueStorage } from '../../contract/index.ts';
import { startKeepAliveThread } from '../keep-alive-thread.ts';
import { type ConnectionSettings, connectionSettings, type RedisClient } from './client.ts';
import { scripts } from './lua/index.ts';
import type { RedisSettings } from './options.ts';

/** `data`: ioredis (path), url, options, script, prefixes (of the shards). */
export const storePart: string = `
let client;
function connect() {
  const { Redis } = require(data.ioredis);
  const options = { ...data.options, maxRetriesPerRequest: 0, commandTimeout: data.every };
  client = data.url === undefined ? new Redis(options) : new Redis(data.url, options);
  client.on('error', () => {});
}
// Loading the client takes 100 ms of a core. The worker has just begun, and its own first calls renew.
setTimeout(connect, data.every / 2);
async function renew() {
  const renewed = data.prefixes.map((prefix) => client.eval(data.script, 1, prefix, data.session, data.lease));
  return (await Promise.all(renewed)).every((alive) => alive === 1);
}
function close() {
  client?.disconnect();
}
`;

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
  const data = { ...connection, ioredis, prefixes, script: scripts.renew };
  return (request) => startKeepAliveThread(storePart, data, request);
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
