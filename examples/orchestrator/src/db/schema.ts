import type { ColumnType, Generated, JSONColumnType, Selectable } from 'kysely';
import type { FailureClass } from '../runs/errors.ts';
import type { RunState } from '../runs/states.ts';
import type { Scope } from '../tenants/principal.ts';

/** Set by the database. */
type CreatedAt = ColumnType<Date, never, never>;

export interface TenantsTable {
  readonly id: string;
  readonly weight: ColumnType<number, number | undefined, number>;
  readonly max_concurrency: number | null;
  readonly max_queued: number | null;
  readonly monthly_budget_microusd: ColumnType<string | null, number | null | undefined, number | null>;
  /** Beginnings of addresses that the tenant may use; null: any. */
  readonly repos: string[] | null;
  readonly created_at: CreatedAt;
}

export interface ApiKeysTable {
  readonly id: string;
  readonly tenant_id: string;
  readonly name: string;
  readonly digest: Buffer;
  readonly scopes: Scope[];
  readonly created_at: CreatedAt;
  readonly revoked_at: Date | null;
}

export interface ReposTable {
  readonly id: string;
  readonly tenant_id: string;
  readonly url: string;
  /** Which forge keeps it; known once a pull request was opened there. */
  readonly forge: string | null;
  /** Its id at the forge, which webhooks name. */
  readonly forge_repo_id: ColumnType<string | null, number | null | undefined, number | null>;
  readonly created_at: CreatedAt;
}

export interface TasksTable {
  readonly id: string;
  readonly tenant_id: string;
  readonly repo_id: string;
  readonly ref: string;
  readonly title: string;
  readonly prompt: string;
  readonly created_at: CreatedAt;
}

/** What was said in a task. */
export interface MessagesTable {
  readonly id: string;
  readonly task_id: string;
  readonly run_id: string | null;
  readonly author: 'user' | 'agent';
  readonly body: string;
  readonly created_at: CreatedAt;
}

/** What an agent is asked to do: its type and the options of that type, as the API accepted them. */
export interface AgentSpec {
  readonly type: string;
  readonly [option: string]: unknown;
}

/** Why a run failed, in the shape of the API's problems. */
export interface RunError {
  readonly code: string;
  readonly message: string;
  /** Absent for runs that failed before classes were kept. */
  readonly class?: FailureClass;
}

/** The pull request that a run was asked to open. */
export interface PullRequestWish {
  readonly title?: string;
  readonly body?: string;
  readonly base?: string;
  readonly waitForChecks: boolean;
  /** What follows when the checks fail: so many further runs at most, one after the other. */
  readonly followUp?: { readonly attempts: number; readonly agent?: AgentSpec };
}

/** Why a run was made by us: the checks of another one failed. */
export interface FollowUp {
  readonly of: string;
  /** Names of the checks that failed. */
  readonly failing: readonly string[];
}

export interface RunsTable {
  readonly id: string;
  readonly tenant_id: string;
  readonly task_id: string | null;
  readonly repo_id: string;
  readonly ref: string;
  readonly agent: JSONColumnType<AgentSpec>;
  readonly message: string;
  readonly priority: Generated<number>;
  readonly timeout_ms: ColumnType<string, number, number>;
  readonly state: ColumnType<RunState, RunState | undefined, RunState>;
  readonly parked_reason: string | null;
  readonly attempt: Generated<number>;
  readonly dispatch: Generated<number>;
  readonly fence: ColumnType<string, number | undefined, number>;
  readonly event_seq: Generated<number>;
  readonly worker_id: string | null;
  readonly job_id: string | null;
  readonly branch: string;
  readonly base_sha: string | null;
  readonly commit_sha: string | null;
  readonly files_changed: number | null;
  readonly insertions: number | null;
  readonly deletions: number | null;
  readonly exit_code: number | null;
  readonly error: JSONColumnType<RunError> | null;
  readonly traceparent: string | null;
  readonly pull_request: JSONColumnType<PullRequestWish> | null;
  readonly pr_number: number | null;
  readonly pr_url: string | null;
  readonly session_id: string | null;
  readonly input_tokens: ColumnType<string, number | undefined, number>;
  readonly output_tokens: ColumnType<string, number | undefined, number>;
  readonly cost_microusd: ColumnType<string, number | undefined, number>;
  readonly budget_microusd: ColumnType<string | null, number | null | undefined, number | null>;
  readonly parked_until: Date | null;
  readonly deadline_at: Date | null;
  readonly retry_of: string | null;
  readonly follow_up: JSONColumnType<FollowUp> | null;
  readonly cancel_requested_at: Date | null;
  readonly created_at: CreatedAt;
  readonly updated_at: ColumnType<Date, never, Date>;
  readonly admitted_at: Date | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly log_archived_at: Date | null;
}

export interface RunEventsTable {
  readonly run_id: string;
  readonly seq: number;
  readonly type: string;
  readonly from_state: RunState | null;
  readonly to_state: RunState;
  readonly data: JSONColumnType<Readonly<Record<string, unknown>>>;
  readonly created_at: CreatedAt;
}

export interface OutboxTable {
  readonly id: ColumnType<string, never, never>;
  readonly run_id: string;
  readonly dispatch: number;
  readonly available_at: ColumnType<Date, Date | undefined, Date>;
  readonly created_at: CreatedAt;
}

export interface LogChunksTable {
  readonly run_id: string;
  readonly seq_from: number;
  readonly seq_to: number;
  readonly body: Buffer;
  readonly created_at: CreatedAt;
}

export interface ArtifactsTable {
  readonly run_id: string;
  readonly kind: string;
  readonly object_key: string;
  readonly sha256: string;
  readonly size: ColumnType<string, number, number>;
  readonly created_at: CreatedAt;
}

/** One call of a model. */
export interface UsageLedgerTable {
  readonly id: string;
  readonly tenant_id: string;
  readonly run_id: string;
  readonly provider: string;
  readonly model: string;
  readonly input_tokens: ColumnType<string, number, never>;
  readonly output_tokens: ColumnType<string, number, never>;
  readonly cost_microusd: ColumnType<string, number, never>;
  readonly created_at: CreatedAt;
}

/** Pull requests of every forge; of the `local` one nobody else keeps them. */
export interface PrsTable {
  readonly repo_id: string;
  readonly number: number;
  readonly forge: Generated<string>;
  readonly url: string | null;
  /** Comments of the `local` forge, by their marks. */
  readonly comments: ColumnType<Readonly<Record<string, string>>, string | undefined, string>;
  readonly head: string;
  readonly base: string;
  readonly head_sha: string;
  readonly title: string;
  readonly body: string;
  readonly state: Generated<'open' | 'closed' | 'merged'>;
  readonly created_at: CreatedAt;
  readonly updated_at: ColumnType<Date, never, Date>;
}

export interface WorkersTable {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly slots: number;
  readonly busy: Generated<number>;
  readonly draining: Generated<boolean>;
  readonly started_at: CreatedAt;
  readonly heartbeat_at: ColumnType<Date, never, Date>;
}

/** The tables of PostgreSQL, as Kysely sees them. */
export interface Database {
  readonly tenants: TenantsTable;
  readonly api_keys: ApiKeysTable;
  readonly repos: ReposTable;
  readonly tasks: TasksTable;
  readonly messages: MessagesTable;
  readonly runs: RunsTable;
  readonly run_events: RunEventsTable;
  readonly outbox: OutboxTable;
  readonly log_chunks: LogChunksTable;
  readonly artifacts: ArtifactsTable;
  readonly prs: PrsTable;
  readonly usage_ledger: UsageLedgerTable;
  readonly workers: WorkersTable;
}

export type RunRow = Selectable<RunsTable>;
export type RunEventRow = Selectable<RunEventsTable>;
export type LogChunkRow = Selectable<LogChunksTable>;
export type ArtifactRow = Selectable<ArtifactsTable>;
