import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { createLoop } from '../loop.ts';
import type { Relay } from '../relay/relay.ts';
import { deadlineOver, RunCancelledError } from '../runs/errors.ts';

/**
 * Tells the runs of this worker when somebody asked to cancel them or their deadline is over: one query per poll,
 * however many there are.
 */
export interface Cancellations {
  /** The signal aborts with a {@link RunCancelledError}, or the {@link RunFailure} of a deadline. Call `release` when the run has ended. */
  watch(runId: string): { readonly signal: AbortSignal; readonly release: () => void };
  stop(): Promise<void>;
}

export interface CancellationsOptions {
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly pollInterval: number;
  readonly onError: (error: unknown) => void;
}

export function createCancellations(options: CancellationsOptions): Cancellations {
  const held = new Map<string, AbortController>();
  const loop = createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    async turn() {
      if (held.size === 0) return;
      for (const { id, cancelled } of await endedAmong(options.db, [...held.keys()])) {
        held.get(id)?.abort(cancelled ? new RunCancelledError(id) : deadlineOver());
      }
    },
  });
  const unsubscribe = options.relay.subscribe(['cancel'], ({ runId }) => {
    if (held.has(runId)) loop.wake();
  });
  return {
    watch(runId) {
      const controller = new AbortController();
      held.set(runId, controller);
      const release = (): void => {
        if (held.get(runId) === controller) held.delete(runId);
      };
      return { signal: controller.signal, release };
    },
    async stop() {
      unsubscribe();
      await loop.stop();
    },
  };
}

async function endedAmong(
  db: Kysely<Database>,
  ids: readonly string[],
): Promise<{ readonly id: string; readonly cancelled: boolean }[]> {
  return await db
    .selectFrom('runs')
    .select(['id', sql<boolean>`cancel_requested_at IS NOT NULL`.as('cancelled')])
    .where('id', 'in', ids)
    .where((eb) => eb.or([eb('cancel_requested_at', 'is not', null), eb('deadline_at', '<=', sql<Date>`now()`)]))
    .execute();
}
