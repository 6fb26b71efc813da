import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { createLoop } from '../loop.ts';
import type { Relay } from '../relay/relay.ts';
import { RunCancelledError } from '../runs/errors.ts';

/** Tells the runs of this worker when somebody asked to cancel them: one query per poll, however many there are. */
export interface Cancellations {
  /** The signal aborts with a {@link RunCancelledError}. Call `release` when the run has ended. */
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
      for (const id of await cancelledAmong(options.db, [...held.keys()]))
        held.get(id)?.abort(new RunCancelledError(id));
    },
  });
  const unsubscribe = options.relay.subscribe((hint) => {
    if (hint.kind === 'cancel' && held.has(hint.runId)) loop.wake();
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

async function cancelledAmong(db: Kysely<Database>, ids: readonly string[]): Promise<string[]> {
  const rows = await db
    .selectFrom('runs')
    .select('id')
    .where('id', 'in', ids)
    .where('cancel_requested_at', 'is not', null)
    .execute();
  return rows.map((row) => row.id);
}
