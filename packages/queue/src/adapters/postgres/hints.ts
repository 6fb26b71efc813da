import type { Hint } from '../../contract/index.ts';
import type { PooledSqlClient, SqlPool } from './client.ts';

/** Tells others, and is told. Nothing depends on it. */
export interface Hints {
  watch(listener: (hint: Hint) => void): () => void;
  /** Tells this process at once, and the others soon. */
  tell(hint: Hint): void;
  close(): void;
}

/** A connection of `pg`, as far as it listens. */
interface Listening extends PooledSqlClient {
  on?(event: 'notification', listener: (message: { readonly payload?: string | undefined }) => void): unknown;
  on?(event: 'error' | 'end', listener: () => void): unknown;
}

/** What the hints of one queue work with. */
export interface HintParts {
  readonly pool: SqlPool;
  readonly channel: string;
  /** Keep a connection listening. */
  readonly listen: boolean;
}

const known: ReadonlySet<string> = new Set<Hint>(['ready', 'cancel', 'finished']);

/** Milliseconds between two notifications of a kind: the first goes at once, what follows goes together. */
const pauses: Readonly<Record<Hint, number>> = { ready: 3, cancel: 10, finished: 20 };

/** Milliseconds for which the workers of this process have the first look: a notification beside their exchange would slow it down by half. */
const ownFirst = 1;

/** Milliseconds until a broken connection is replaced. */
const reconnectAfter = 1_000;

/**
 * Hints of one queue. They are sent in transactions of their own, at most one of a kind at a time: NOTIFY takes a lock of the whole server until
 * the commit, which must not be that of a job.
 */
export function createHints({ pool, channel, listen }: HintParts): Hints {
  const listeners = new Set<(hint: Hint) => void>();
  const sending = new Map<Hint, 'resting' | 'again'>();
  const held = new Map<Hint, NodeJS.Timeout>();
  let connection: PooledSqlClient | undefined;
  let retry: NodeJS.Timeout | undefined;
  let connecting = false;
  let closed = false;

  function hear(text: string | undefined): void {
    if (text !== undefined && known.has(text)) for (const listener of listeners) listener(text as Hint);
  }

  async function connect(): Promise<void> {
    if (connecting || connection !== undefined || closed || pool.connect === undefined) return;
    connecting = true;
    try {
      const lent: Listening = await pool.connect();
      if (typeof lent?.on !== 'function' || closed) {
        lent?.release?.();
        return;
      }
      connection = lent;
      unref(lent);
      lent.on('notification', ({ payload }) => hear(payload));
      lent.on('error', () => lose(lent));
      lent.on('end', () => lose(lent));
      await lent.query(`LISTEN "${channel}"`);
      // What was told before is not heard: have a look.
      hear('ready');
    } catch {
      if (connection === undefined) later();
      else lose(connection);
    } finally {
      connecting = false;
    }
  }

  function lose(lost: PooledSqlClient): void {
    if (connection !== lost) return;
    connection = undefined;
    lost.release(true);
    later();
  }

  function later(): void {
    if (closed || retry !== undefined) return;
    retry = setTimeout(() => {
      retry = undefined;
      void connect();
    }, reconnectAfter);
    retry.unref();
  }

  function send(hint: Hint): void {
    if (closed) return;
    if (sending.has(hint)) {
      sending.set(hint, 'again');
      return;
    }
    sending.set(hint, 'resting');
    if (listeners.size === 0) notify(hint);
    else held.set(hint, setTimeout(notify, ownFirst, hint));
  }

  function notify(hint: Hint): void {
    held.delete(hint);
    const rest = (): void => {
      const timer = setTimeout(() => {
        const again = sending.get(hint) === 'again';
        sending.delete(hint);
        if (again) send(hint);
      }, pauses[hint]);
      timer.unref();
    };
    pool
      .query("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", [channel, hint])
      .then(rest, rest);
  }

  return {
    watch(listener) {
      listeners.add(listener);
      if (listen) void connect();
      return () => void listeners.delete(listener);
    },
    tell(hint) {
      hear(hint);
      send(hint);
    },
    close() {
      closed = true;
      // A worker that leaves gives its jobs back: others should hear of them now.
      for (const [hint, timer] of held) {
        clearTimeout(timer);
        notify(hint);
      }
      listeners.clear();
      clearTimeout(retry);
      // Closed, not given back: the next borrower would hear our channel.
      connection?.release(true);
      connection = undefined;
    },
  };
}

/** A connection that listens does not keep the process alive: hints are a favour. */
function unref(client: PooledSqlClient): void {
  const { connection } = client as { readonly connection?: { readonly stream?: { unref?(): void } } };
  connection?.stream?.unref?.();
}
