import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { createLoop } from '../loop.ts';
import type { Relay } from '../relay/relay.ts';
import { type Cursor, isAhead } from './cursor.ts';

/** Lets any number of readers wait for news of runs at the price of one query per poll, whichever process writes. */
export interface EventHub {
  /** Resolves when the run may have something after the cursor, when the time is over, or when the signal aborts. */
  wait(runId: string, after: Cursor, timeout: number, signal: AbortSignal): Promise<void>;
  /** How many readers wait now. */
  readonly waiting: number;
  stop(): Promise<void>;
}

interface Waiter {
  readonly after: Cursor;
  readonly wake: () => void;
}

export interface EventHubOptions {
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly pollInterval: number;
  readonly onError: (error: unknown) => void;
}

export function createEventHub(options: EventHubOptions): EventHub {
  const waiters = new Map<string, Set<Waiter>>();
  let waiting = 0;
  const unsubscribe = options.relay.subscribe(({ runId }) => {
    for (const waiter of waiters.get(runId) ?? []) waiter.wake();
  });
  const loop = createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    async turn() {
      if (waiters.size === 0) return;
      const positions = await readPositions(options.db, [...waiters.keys()]);
      for (const [runId, position] of positions) {
        for (const waiter of waiters.get(runId) ?? []) if (isAhead(position, waiter.after)) waiter.wake();
      }
    },
  });

  const wait = (runId: string, after: Cursor, timeout: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const others = waiters.get(runId) ?? new Set<Waiter>();
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        if (others.delete(waiter)) waiting -= 1;
        if (others.size === 0) waiters.delete(runId);
        resolve();
      };
      const waiter: Waiter = { after, wake };
      const timer = setTimeout(wake, timeout);
      waiters.set(runId, others.add(waiter));
      waiting += 1;
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted) wake();
    });

  return {
    wait,
    get waiting() {
      return waiting;
    },
    async stop() {
      unsubscribe();
      await loop.stop();
      for (const set of [...waiters.values()]) for (const waiter of [...set]) waiter.wake();
    },
  };
}

async function readPositions(db: Kysely<Database>, runIds: readonly string[]): Promise<Map<string, Cursor>> {
  const { rows } = await sql<{ id: string; event: number; line: number }>`
    SELECT id, event_seq AS event, coalesce((
      SELECT seq_to FROM log_chunks WHERE run_id = runs.id ORDER BY seq_from DESC LIMIT 1
    ), 0) AS line
    FROM runs WHERE id = ANY(${runIds}::uuid[])
  `.execute(db);
  return new Map(rows.map(({ id, event, line }) => [id, { event, line }]));
}
