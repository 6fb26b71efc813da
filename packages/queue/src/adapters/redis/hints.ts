import type { Hint } from '../../contract/index.ts';
import { type ConnectionSettings, type RedisClient, silence } from './client.ts';
import { isCluster } from './nodes.ts';

/** Listens for hints on a connection of its own, made when somebody watches for the first time. */
export interface Hints {
  watch(listener: (hint: Hint) => void): () => void;
  /** Listens on a channel of its own, over the same connection. */
  listen(channel: string, listener: (message: string) => void): () => void;
  close(): void;
}

const known: ReadonlySet<string> = new Set<Hint>(['ready', 'cancel', 'finished']);

/** A connection does not keep the process alive: hints are a favour. */
function unref(client: RedisClient): void {
  const { stream } = client as { readonly stream?: { unref?(): void } };
  stream?.unref?.();
}

/** A try that fails is made again when the connection is ready again. */
function subscribe(connection: RedisClient, channel: string): void {
  connection.subscribe(channel).catch(() => undefined);
}

interface SingleClient extends RedisClient {
  duplicate(override?: ConnectionSettings): RedisClient;
}

/**
 * A connection to listen on. ioredis subscribes again after a reconnection without a `catch`, and forgets the channels
 * where that is refused: a second reset at that moment would end the process, or leave it deaf. So we do it ourselves;
 * a Cluster, which subscribes by a connection within, does it well.
 */
function duplicate(client: RedisClient): RedisClient {
  return isCluster(client) ? client.duplicate() : (client as SingleClient).duplicate({ autoResubscribe: false });
}

/** Hints of some channels. A lost connection loses hints, and listens again by itself. */
export function createHints(client: RedisClient, common: readonly string[]): Hints {
  const listeners = new Set<(hint: Hint) => void>();
  const channels = new Map<string, (message: string) => void>();
  let subscriber: RedisClient | undefined;

  function listen(): RedisClient {
    const connection = duplicate(client);
    silence(connection);
    connection.on('connect', () => unref(connection));
    connection.on('ready', () => {
      for (const channel of [...common, ...channels.keys()]) subscribe(connection, channel);
    });
    connection.on('message', (from, text) => {
      channels.get(String(from))?.(String(text));
      if (known.has(String(text))) for (const listener of listeners) listener(text as Hint);
    });
    for (const channel of common) subscribe(connection, channel);
    return connection;
  }

  return {
    watch(listener) {
      listeners.add(listener);
      subscriber ??= listen();
      return () => void listeners.delete(listener);
    },
    listen(own, listener) {
      subscriber ??= listen();
      channels.set(own, listener);
      subscribe(subscriber, own);
      return () => {
        channels.delete(own);
        subscriber?.unsubscribe(own).catch(() => undefined);
      };
    },
    close() {
      listeners.clear();
      channels.clear();
      subscriber?.disconnect();
      subscriber = undefined;
    },
  };
}
