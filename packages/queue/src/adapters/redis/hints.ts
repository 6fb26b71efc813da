import type { Hint } from '../../contract/index.ts';
import { type RedisClient, silence } from './client.ts';

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

/** Hints of some channels. A lost connection loses hints; the client connects and subscribes again by itself. */
export function createHints(client: RedisClient, common: readonly string[]): Hints {
  const listeners = new Set<(hint: Hint) => void>();
  const channels = new Map<string, (message: string) => void>();
  let subscriber: RedisClient | undefined;

  function listen(): RedisClient {
    const connection = client.duplicate();
    silence(connection);
    connection.on('connect', () => unref(connection));
    connection.on('message', (from, text) => {
      channels.get(String(from))?.(String(text));
      if (known.has(String(text))) for (const listener of listeners) listener(text as Hint);
    });
    for (const channel of common) connection.subscribe(channel).catch(() => undefined);
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
      subscriber.subscribe(own).catch(() => undefined);
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
