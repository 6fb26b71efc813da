import type { ColumnType, Generated } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { CheckConclusion, CheckSource, CheckStatus } from './observation.ts';
import type { RollupState } from './rollup.ts';

interface WebhookDeliveriesTable {
  readonly id: string;
  readonly event: string;
  readonly body: Buffer;
  readonly state: ColumnType<'pending' | 'done' | 'failed', 'pending' | undefined, 'pending' | 'done' | 'failed'>;
  readonly attempts: Generated<number>;
  readonly error: string | null;
  readonly next_attempt_at: ColumnType<Date, Date | undefined, Date>;
  readonly received_at: ColumnType<Date, never, never>;
  readonly processed_at: ColumnType<Date | null, never, Date | null>;
}

interface CiChecksTable {
  readonly repo_id: ColumnType<string, number, never>;
  readonly sha: string;
  readonly source: CheckSource;
  readonly key: string;
  readonly parent: string | null;
  readonly name: string;
  readonly object_id: ColumnType<string, number, number>;
  readonly attempt: number;
  readonly status: CheckStatus;
  readonly status_rank: number;
  readonly conclusion: CheckConclusion | null;
  readonly observed_at: ColumnType<string, number, number>;
  readonly url: string | null;
}

interface CiRollupsTable {
  readonly repo_id: ColumnType<string, number, never>;
  readonly sha: string;
  readonly state: RollupState;
  readonly failing: readonly string[];
  readonly waiting: readonly string[];
  readonly updated_at: ColumnType<Date, never, Date>;
}

/** A commit that runs wait for, and when the forge is asked about it if it does not speak by itself. */
interface PollTargetsTable {
  readonly repo_id: ColumnType<string, number, never>;
  readonly sha: string;
  readonly repo_url: string;
  /** `silence`: no webhook came. `confirm`: webhooks say that all is well, and the forge is asked whether that is all. */
  readonly reason: 'silence' | 'confirm';
  readonly polls: Generated<number>;
  readonly next_at: Date;
  readonly created_at: ColumnType<Date, never, never>;
}

/** When the last delivery about a repository came. */
interface WebhookSourcesTable {
  readonly repo_id: ColumnType<string, number, never>;
  readonly heard_at: Date;
}

/** How far the sweep of a hook's deliveries has come. */
interface WebhookSweepsTable {
  readonly hook: string;
  readonly next_at: Date;
  readonly seen_to: ColumnType<string, number | undefined, number>;
}

/** The database with the tables of this folder. */
export interface CiDatabase extends Database {
  readonly webhook_deliveries: WebhookDeliveriesTable;
  readonly ci_checks: CiChecksTable;
  readonly ci_rollups: CiRollupsTable;
  readonly poll_targets: PollTargetsTable;
  readonly webhook_sources: WebhookSourcesTable;
  readonly webhook_sweeps: WebhookSweepsTable;
}
