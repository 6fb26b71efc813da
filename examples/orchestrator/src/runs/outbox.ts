import { CompiledQuery, type Kysely } from 'kysely';
import { prepared } from '../db/prepared.ts';
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
/** Milliseconds between two rounds: what comes in meanwhile is handed over together. */
const gather = 10;

/**
 * Hands what transactions left in the outbox to the queue. A crash after the queue accepted and before the row is
 * deleted hands it over again: the queue's dedupe key, and the fence of the run, make that harmless.
 */
export function createOutboxRelay(options: OutboxRelayOptions): Loop {
  const loop = createLoop({
    interval: options.pollInterval,
    gather,
    onError: options.onError,
    async turn() {
      let moved = batchSize;
      while (moved === batchSize) moved = await relayBatch(options);
    },
  });
  const unsubscribe = options.relay.subscribe(['outbox'], loop.wake);
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
    const { rows } = await tx.executeQuery<Due>(CompiledQuery.raw(due, [batchSize]));
    if (rows.length > 0) await settle(tx, rows, await enqueue(rows));
    return rows.length;
  });
}

type Due = Dispatch & { readonly id: string };

const due = `
  SELECT outbox.id, run_id AS "runId", outbox.dispatch, tenant_id AS "tenantId", priority, traceparent
  FROM outbox JOIN runs ON runs.id = run_id
  WHERE available_at <= now() ORDER BY outbox.id LIMIT $1 FOR UPDATE OF outbox SKIP LOCKED ${prepared}`;

/** What was accepted leaves the outbox and is noted in its run; the rest waits as long as the queue says. */
const settlement = `
  WITH answer AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::float8[]) AS t (id, job_id, delay)
  ), delayed AS (
    UPDATE outbox SET available_at = now() + make_interval(secs => delay)
    FROM answer WHERE outbox.id = answer.id AND answer.job_id IS NULL
  ), handed AS (
    DELETE FROM outbox USING answer WHERE outbox.id = answer.id AND answer.job_id IS NOT NULL
    RETURNING run_id, dispatch, answer.job_id
  )
  UPDATE runs SET job_id = handed.job_id FROM handed
  WHERE runs.id = handed.run_id AND runs.dispatch = handed.dispatch ${prepared}`;

async function settle(tx: Kysely<Database>, rows: readonly Due[], answers: readonly DispatchAnswer[]): Promise<void> {
  const jobIds = answers.map((answer) => (answer.accepted ? answer.jobId : null));
  const delays = answers.map((answer) => (answer.accepted ? 0 : answer.retryAfter / 1000));
  await tx.executeQuery(CompiledQuery.raw(settlement, [rows.map(({ id }) => id), jobIds, delays]));
}
