import type { ErrorGroup, JobFilter } from '../../contract/index.ts';
import type { JobRow } from '../engine/job-row.ts';
import type { Tables } from '../engine/tables.ts';
import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';
import type { StoredJob } from './job-rows.ts';
import type { SqliteJobs } from './jobs.ts';
import { queuesPerFile, stateNumbers } from './schema.ts';

type PeopleTables = Pick<Tables, 'findJobs' | 'countJobs' | 'readyPerPriority' | 'aheadOf' | 'errorGroups'>;

/** The newest failure of a job, in SQL. */
const fingerprint = `json_extract(failures, '$[#-1].fingerprint')`;

/** Conditions and values of a filter; the conditions are of our making, the values are bound. */
function conditionsOf(queue: number, filter: JobFilter): { readonly where: string; readonly values: SqlValue[] } {
  const terms: [string, SqlValue][] = [['queue = ?', queue]];
  if (filter.state !== undefined) terms.push(['state = ?', stateNumbers[filter.state]]);
  if (filter.name !== undefined) terms.push(['name = ?', filter.name]);
  if (filter.tenant !== undefined) terms.push(['tenant = ?', filter.tenant]);
  if (filter.enqueuedBefore !== undefined) terms.push(['enqueued_at < ?', filter.enqueuedBefore]);
  if (filter.fingerprint !== undefined) terms.push([`${fingerprint} = ?`, filter.fingerprint]);
  return { where: terms.map(([sql]) => sql).join(' AND '), values: terms.map(([, value]) => value) };
}

/** The rows of node:sqlite have no prototype, which `deepEqual` and loggers see. */
const plain = <T extends object>(row: T): T => ({ ...row });

/** Reads for people: bounded in what they return, not in what they read. */
export function peopleTables(connection: Connection, queue: number, jobs: SqliteJobs): PeopleTables {
  return {
    findJobs: (filter, after, limit) => {
      jobs.flush();
      const { where, values } = conditionsOf(queue, filter);
      const sql = `SELECT * FROM millrace_job WHERE ${where} AND row_id > ? ORDER BY row_id LIMIT ?`;
      const from = after * queuesPerFile + queue;
      return connection.all<StoredJob>(sql, ...values, from, limit).map((stored) => jobs.take(stored));
    },
    countJobs: (filter) => {
      jobs.flush();
      const { where, values } = conditionsOf(queue, filter);
      return connection.get<{ n: number }>(`SELECT count(*) AS n FROM millrace_job WHERE ${where}`, ...values)?.n ?? 0;
    },
    readyPerPriority: () => {
      const sql =
        'SELECT priority, count(*) AS ready FROM millrace_job WHERE queue = ? AND state = 0 GROUP BY priority ORDER BY priority DESC';
      return connection.all<{ priority: number; ready: number }>(sql, queue).map(plain);
    },
    aheadOf: (row, limit) => countAhead(connection, queue, row, limit),
    errorGroups: (limit) => {
      const sql = `SELECT ${fingerprint} AS fingerprint, count(*) AS count, json_extract(failures, '$[#-1].message') AS message,
           json_extract(failures, '$[#-1].code') AS code, max(json_extract(failures, '$[#-1].at')) AS newestAt, id AS sampleId
         FROM millrace_job WHERE queue = ? AND state = 4 AND failures IS NOT NULL
         GROUP BY fingerprint ORDER BY count DESC LIMIT ?`;
      return connection.all<ErrorGroup>(sql, queue, limit).map(plain);
    },
  };
}

function countAhead(connection: Connection, queue: number, row: JobRow, limit: number): number {
  const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM millrace_job WHERE queue = ? AND tenant = ? AND state = 0
    AND (priority > ? OR (priority = ? AND (ready_at, row_id) < (?, ?))) LIMIT ?)`;
  const rowId = row.seq * queuesPerFile + queue;
  const values = [queue, row.tenant, row.priority, row.priority, row.readyAt ?? 0, rowId, limit];
  return connection.get<{ n: number }>(sql, ...values)?.n ?? 0;
}
