import type { Observability } from '@millrace/observability';
import { SpanKind } from '@opentelemetry/api';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';

/** How news of CI came. */
export type NewsSource = 'webhook' | 'poll';

interface Verdict {
  readonly id: string;
  readonly tenant_id: string;
  readonly state: 'succeeded' | 'failed';
  readonly waited: number;
}

/** Shows what CI says of runs: how long they waited for it, by which way it came, and in the trace of each run. */
export interface CheckObserver {
  /** A delivery of the forge was read so many milliseconds after what it tells of. */
  delivered(delay: number): void;
  /** Something that was not known before. */
  news(source: NewsSource): void;
  /** Runs that ended by the checks of their commit; reads them in the transaction that ended them. */
  settled(tx: Kysely<Database>, runIds: readonly string[], source: NewsSource): Promise<void>;
}

export function createCheckObserver({ runs, log, tracer }: Observability): CheckObserver {
  return {
    delivered: (delay) => runs.webhookDelay.observe(Math.max(0, delay) / 1000),
    news: (source) => runs.ciUpdates.add(1, source),
    async settled(tx, runIds, source) {
      for (const { id, tenant_id, state, waited } of await readVerdicts(tx, runIds)) {
        runs.ciWait.observe(waited, source);
        runs.phase.observe(waited, 'ci');
        runs.finished.add(1, state);
        const startTime = Date.now() - waited * 1000;
        const attributes = { 'millrace.run.id': id, 'millrace.tenant': tenant_id, 'millrace.ci.source': source };
        const result = state === 'succeeded' ? 'success' : 'failure';
        const options = {
          kind: SpanKind.INTERNAL,
          startTime,
          attributes: { ...attributes, 'cicd.pipeline.result': result },
        };
        tracer.startSpan('wait for checks', options).end();
        log.info({ runId: id, tenant: tenant_id, from: 'ci_waiting', state, source }, 'run moved');
      }
    },
  };
}

/** Runs among these that have ended, and for how many seconds they had waited for the checks. */
async function readVerdicts(tx: Kysely<Database>, runIds: readonly string[]): Promise<readonly Verdict[]> {
  if (runIds.length === 0) return [];
  const { rows } = await sql<Verdict>`
    SELECT id, tenant_id, state, extract(epoch FROM now() - (
      SELECT created_at FROM run_events WHERE run_id = runs.id AND to_state = 'ci_waiting' ORDER BY seq DESC LIMIT 1
    ))::float8 AS waited
    FROM runs WHERE id = ANY(${[...runIds]}::uuid[]) AND state IN ('succeeded', 'failed')
  `.execute(tx);
  return rows;
}
