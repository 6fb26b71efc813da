import { setTimeout as sleep } from 'node:timers/promises';
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect, type NatsConnection, nanos } from '@nats-io/transport-node';
import { formatHint, parseHint } from './hint-text.ts';
import { createListeners, type Listeners } from './listeners.ts';
import type { Relay } from './relay.ts';

const stream = 'millrace-hints';
const subject = 'millrace.hints';
/** Milliseconds that a hint is kept for a process that lost its connection. */
const keepFor = 60_000;
/** Milliseconds before listening is tried again. */
const retryDelay = 1000;

/** How far a process has heard, over all its connections. */
interface Place {
  /** When the stream that it heard was made; undefined before the first. */
  stream: string | undefined;
  /** Sequence number of the last hint that it heard or that was there before it. */
  heard: number;
}

/**
 * Hints between the processes of a deployment, by a JetStream stream that keeps them for a minute: whoever lost its
 * connection hears afterwards what was told in the meantime. NATS being away costs nothing but speed, as with Redis.
 */
export function natsRelay(url: string, onError: (error: unknown) => void): Relay {
  const listeners = createListeners();
  const closing = new AbortController();
  const place: Place = { stream: undefined, heard: 0 };
  let connection: NatsConnection | undefined;
  const listening = (async () => {
    while (!closing.signal.aborted) {
      try {
        connection ??= await connectTo(url, closing.signal);
        await listen(connection, place, listeners);
      } catch (error) {
        if (!closing.signal.aborted) onError(error);
        if (connection?.isClosed()) connection = undefined;
      }
      await sleep(retryDelay, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  })();
  return {
    publish(hint) {
      listeners.tell(hint);
      if (hint.kind === 'outbox') return;
      try {
        connection?.publish(subject, formatHint(hint));
      } catch (error) {
        onError(error);
      }
    },
    subscribe: listeners.subscribe,
    async [Symbol.asyncDispose]() {
      listeners.clear();
      closing.abort();
      await connection?.close();
      await listening;
    },
  };
}

async function connectTo(url: string, signal: AbortSignal): Promise<NatsConnection> {
  const { username, password, host, protocol } = new URL(url);
  const connection = await connect({
    servers: host,
    name: 'millrace',
    maxReconnectAttempts: -1,
    reconnectTimeWait: retryDelay,
    timeout: 5000,
    ...(username !== '' && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
    ...(protocol === 'tls:' && { tls: {} }),
  });
  if (signal.aborted) await connection.close();
  return connection;
}

/** Hears hints until the stream is gone (a server that kept it in memory began anew), its consumer is, or the connection is closed. */
async function listen(connection: NatsConnection, place: Place, listeners: Listeners): Promise<void> {
  await findPlace(connection, place);
  const consumer = await jetstream(connection).consumers.get(stream, { opt_start_seq: place.heard + 1 });
  const messages = await consumer.consume({
    abort_on_missing_resource: true,
    // A connection that came back is noticed by heartbeats that stay away.
    idle_heartbeat: 1000,
    expires: 5000,
  });
  for await (const message of messages) {
    place.heard = message.seq;
    const hint = parseHint(message.string());
    if (hint) listeners.tell(hint);
  }
}

/** Makes the stream where it is missing. What is in it is old to a process that never listened, and news in a stream that began anew meanwhile. */
async function findPlace(connection: NatsConnection, place: Place): Promise<void> {
  const manager = await jetstreamManager(connection);
  const { created, state } = await manager.streams.add({
    name: stream,
    subjects: [subject],
    storage: StorageType.Memory,
    retention: RetentionPolicy.Limits,
    max_age: nanos(keepFor),
    max_bytes: 64 * 2 ** 20,
  });
  if (place.stream === created) return;
  place.heard = place.stream === undefined ? state.last_seq : 0;
  place.stream = created;
}
