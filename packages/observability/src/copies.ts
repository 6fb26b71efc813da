import { stat } from 'node:fs/promises';
import type { processMetrics } from './catalogue/process.ts';
import type { Clock } from './clock.ts';
import type { Collector } from './metrics/collectors.ts';
import type { Instruments } from './metrics/instruments.ts';

type Metrics = Pick<Instruments<typeof processMetrics>, 'replicaLag' | 'backupAge'>;

/** What answers a question in SQL: pg's `Pool` or `Client`. */
export interface Queryable {
  query(text: string): Promise<{ readonly rows: readonly unknown[] }>;
}

interface ReplicaRow {
  /** Null when the role may not see the rows of others. */
  readonly state: string | null;
  readonly replica: string;
  readonly lag: number;
}

/** A base backup under way is a connection of its own here, and no replica. */
const replicasOfPrimary = `
  SELECT state, coalesce(nullif(application_name, ''), host(client_addr), 'local') AS replica,
         greatest(0, extract(epoch FROM coalesce(replay_lag, '0')))::float8 AS lag
  FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'`;

/** Milliseconds after which a replica that has not come back is no replica any more. */
const forgetAfter = 3_600_000;

/** Reads the lag of each replica from its primary; a replica that has gone falls behind by the time that it is away. */
export function collectReplicas(metrics: Metrics, clock: Clock, primary: Queryable): Collector {
  const seenAt = new Map<string, number>();
  return async () => {
    const rows = (await primary.query(replicasOfPrimary)).rows as readonly ReplicaRow[];
    if (rows.some(({ state }) => state === null)) {
      throw new Error('The role may not read pg_stat_replication: GRANT pg_monitor to it.');
    }
    const now = clock.monotonic();
    for (const { replica, lag } of rows) {
      seenAt.set(replica, now);
      metrics.replicaLag.set(lag, replica);
    }
    for (const [replica, at] of seenAt) {
      if (now - at > forgetAfter) seenAt.delete(replica);
      else if (at < now) metrics.replicaLag.set((now - at) / 1_000, replica);
    }
  };
}

/** Reads when a file was last written; one that is not there is infinitely old: no backup is one that alerts. */
export function collectBackup(metrics: Metrics, clock: Clock, what: string, marker: string): Collector {
  return async () => {
    const writtenAt = await timeOf(marker);
    metrics.backupAge.set(Math.max(0, clock.now() - writtenAt) / 1_000, what);
  };
}

async function timeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Number.NEGATIVE_INFINITY;
    throw error;
  }
}
