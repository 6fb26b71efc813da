import { CompiledQuery, type Kysely } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { AgentSpec, Database, FollowUp, PullRequestWish, RunRow } from '../db/schema.ts';
import { newId } from '../ids.ts';
import { runColumns } from './columns.ts';

/** What it takes to create a run; everything was validated before. */
export interface NewRun {
  /** @default a new one */
  readonly id?: string;
  readonly tenantId: string;
  readonly repo: string;
  readonly ref: string;
  readonly agent: AgentSpec;
  readonly message: string;
  readonly priority: number;
  /** Milliseconds the agent may take. */
  readonly timeout: number;
  /** Milliseconds from now that the whole run may take, its waits included. @default no bound */
  readonly deadline?: number;
  readonly taskId?: string;
  readonly pullRequest?: PullRequestWish;
  /** Millionths of a US dollar. */
  readonly budgetMicroUsd?: number;
  /** The run that this one repeats. */
  readonly retryOf?: string;
  /** @default one named after the run */
  readonly branch?: string;
  readonly followUp?: FollowUp;
  readonly traceparent?: string;
}

/** A run with the URL of its repository, as the API shows it. */
export type RunWithRepo = RunRow & { readonly repo_url: string };

/** The repository (made when it is new), the run, its first event and its outbox row, in one statement. */
const statement = `
  WITH known AS (SELECT id FROM repos WHERE tenant_id = $2 AND url = $3),
  made AS (
    INSERT INTO repos (id, tenant_id, url) SELECT $4::uuid, $2, $3 WHERE NOT EXISTS (SELECT FROM known)
    ON CONFLICT (tenant_id, url) DO UPDATE SET url = EXCLUDED.url RETURNING id
  ),
  run AS (
    INSERT INTO runs (id, tenant_id, repo_id, ref, agent, message, priority, timeout_ms, deadline_at, branch, task_id,
      traceparent, retry_of, follow_up, budget_microusd, pull_request, event_seq)
    SELECT $1::uuid, $2, repo.id, $5, $6::jsonb, $7, $8::int, $9::bigint, now() + make_interval(secs => $10::float8), $11,
      $12::uuid, $13, $14::uuid, $15::jsonb, $16::bigint, $17::jsonb, 1
    FROM (SELECT id FROM known UNION ALL SELECT id FROM made) AS repo
    RETURNING ${runColumns.join(', ')}
  ),
  event AS (INSERT INTO run_events (run_id, seq, type, to_state, data) SELECT id, 1, 'state', 'queued', '{}' FROM run),
  outboxed AS (INSERT INTO outbox (run_id, dispatch) SELECT id, 1 FROM run)
  SELECT ${runColumns.join(', ')}, $3::text AS repo_url FROM run ${prepared}`;

/** Stores a run, its first event and the outbox row that hands it to the queue. */
export async function createRun(tx: Kysely<Database>, run: NewRun): Promise<RunWithRepo> {
  const { rows } = await tx.executeQuery<RunWithRepo>(CompiledQuery.raw(statement, valuesOf(run)));
  return rows[0] as RunWithRepo;
}

function valuesOf({ id = newId(), ...run }: NewRun): unknown[] {
  return [
    id,
    run.tenantId,
    run.repo,
    newId(),
    run.ref,
    JSON.stringify(run.agent),
    run.message,
    run.priority,
    run.timeout,
    run.deadline === undefined ? null : run.deadline / 1000,
    run.branch ?? `millrace/${id}`,
    run.taskId ?? null,
    run.traceparent ?? null,
    run.retryOf ?? null,
    run.followUp ? JSON.stringify(run.followUp) : null,
    run.budgetMicroUsd ?? null,
    run.pullRequest ? JSON.stringify(run.pullRequest) : null,
  ];
}
