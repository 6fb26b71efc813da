import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { Relay } from '../relay/relay.ts';

/** What the relay asks the queue to accept. */
export interface Dispatch {
  readonly runId: string;
  readonly dispatch: number;
  readonly tenantId: string;
  readonly priority: number;
  readonly traceparent: string | null;
}

/** The queue's answer to one dispatch; `retryAfter` (milliseconds) when it is full. */
export type DispatchAnswer =
  | { readonly accepted: true; readonly jobId: string }
  | { readonly accepted: false; readonly retryAfter: number };

export interface OutboxRelayOptions {
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly pollInterval: number;
  readonly enqueue: (dispatches: readonly Dispatch[]) => Promise<readonly DispatchAnswer[]>;
  readonly onError: (error: unknown) => void;
}

const batchSize = 100;

/**
 * Hands what transactions left in the outbox to the queue. A crash after the queue accepted and before the row is
 * deleted hands it over again: the queue's dedupe key, and the fence of the run, make that harmless.
 */
export function createOutboxRelay(options: OutboxRelayOptions): Loop {
  const loop = createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    async turn() {
      let moved = batchSize;
      while (moved === batchSize) moved = await relayBatch(options);
    },
  });
  const unsubscribe = options.relay.subscribe((hint) => {
    if (hint.kind === 'outbox') loop.wake();
  });
  return {
    wake: loop.wake,
    async stop() {
      unsubscribe();
      await loop.stop();
    },
  };
}

/** Rows are locked while the queue answers, and skipped by the relays of other processes. */
async function relayBatch({ db, enqueue }: OutboxRelayOptions): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const rows = await tx
      .selectFrom('outbox')
      .innerJoin('runs', 'runs.id', 'outbox.run_id')
      .select([
        'outbox.id',
        'outbox.run_id as runId',
        'outbox.dispatch',
        'runs.tenant_id as tenantId',
        'runs.priority',
        'runs.traceparent',
      ])
      .where('outbox.available_at', '<=', sql<Date>`now()`)
      .orderBy('outbox.id')
      .limit(batchSize)
      .forUpdate('outbox')
      .skipLocked()
      .execute();
    if (rows.length === 0) return 0;
    const answers = await enqueue(rows);
    for (const [index, row] of rows.entries()) await settle(tx, row, answers[index]);
    return rows.length;
  });
}

async function settle(
  tx: Kysely<Database>,
  row: { readonly id: string; readonly runId: string; readonly dispatch: number },
  answer: DispatchAnswer | undefined,
): Promise<void> {
  if (answer?.accepted) {
    await tx.deleteFrom('outbox').where('id', '=', row.id).execute();
    await tx
      .updateTable('runs')
      .set({ job_id: answer.jobId })
      .where('id', '=', row.runId)
      .where('dispatch', '=', row.dispatch)
      .execute();
    return;
  }
  const delay = answer?.retryAfter ?? 1000;
  await tx
    .updateTable('outbox')
    .set({ available_at: sql<Date>`now() + make_interval(secs => ${delay / 1000})` })
    .where('id', '=', row.id)
    .execute();
}
