import type { ScheduleRecord } from '../../contract/index.ts';
import type { ChildRow, DedupeRow, SessionRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import type { Connection } from './connection.ts';
import { hot } from './statements.ts';

interface StoredSession {
  readonly id: string;
  readonly expires_at: number;
  readonly barrier: number;
  readonly over: number;
  readonly polite: number;
}

const toSession = (stored: StoredSession): SessionRow => ({
  id: stored.id,
  expiresAt: stored.over === 1 ? 0 : stored.expires_at,
  barrier: stored.barrier,
  over: stored.over === 1,
  polite: stored.polite === 1,
});

type SessionTables = Pick<Tables, 'session' | 'saveSession' | 'removeSession' | 'expiredSessions' | 'sessionCount'>;

/** Sessions. One that is over has the expiry 0 in the file, so that one index finds all whose leases must go back. */
export function sessionTables(connection: Connection, queue: number): SessionTables {
  return {
    session: (id) => {
      const stored = connection.get<StoredSession>(hot.session, queue, id);
      return stored && toSession(stored);
    },
    saveSession: (row) =>
      connection.run(
        hot.saveSession,
        queue,
        row.id,
        row.over ? 0 : row.expiresAt,
        row.barrier,
        row.over ? 1 : 0,
        row.polite ? 1 : 0,
      ),
    removeSession: (id) => connection.run(hot.removeSession, queue, id),
    expiredSessions: (now, limit) =>
      connection.all<StoredSession>(hot.expiredSessions, queue, now, limit).map(toSession),
    sessionCount: (now) =>
      connection.get<{ n: number }>(
        'SELECT count(*) AS n FROM millrace_session WHERE queue = ? AND expires_at > ?',
        queue,
        now,
      )?.n ?? 0,
  };
}

interface StoredKey {
  readonly key: string;
  readonly job_id: string;
  readonly until: number | null;
  readonly latest: number | null;
  readonly next_id: string | null;
}

const toKey = (stored: StoredKey): DedupeRow => ({
  key: stored.key,
  jobId: stored.job_id,
  until: stored.until ?? undefined,
  latest: stored.latest ?? undefined,
  nextId: stored.next_id ?? undefined,
});

/** Dedupe keys. */
export function dedupeTables(
  connection: Connection,
  queue: number,
): Pick<Tables, 'dedupe' | 'saveDedupe' | 'removeDedupe' | 'dedupeBefore'> {
  return {
    dedupe: (key) => {
      const stored = connection.get<StoredKey>(hot.dedupe, queue, key);
      return stored && toKey(stored);
    },
    saveDedupe: (row) =>
      connection.run(
        hot.saveDedupe,
        queue,
        row.key,
        row.jobId,
        row.until ?? null,
        row.latest ?? null,
        row.nextId ?? null,
      ),
    removeDedupe: (key) => connection.run(hot.removeDedupe, queue, key),
    dedupeBefore: (now, limit) => connection.all<StoredKey>(hot.dedupeBefore, queue, now, limit).map(toKey),
  };
}

interface StoredRecord {
  readonly record: string;
}

const read = <T>(stored: StoredRecord): T => JSON.parse(stored.record) as T;

/** Finished children of parents that still wait or run. */
export function childTables(
  connection: Connection,
  queue: number,
): Pick<Tables, 'addChild' | 'children' | 'removeChildren'> {
  const list = 'SELECT record FROM millrace_child WHERE queue = ? AND parent_id = ? ORDER BY id';
  return {
    addChild: (row) =>
      connection.run(
        'INSERT OR REPLACE INTO millrace_child (queue, parent_id, id, record) VALUES (?, ?, ?, ?)',
        queue,
        row.parentId,
        row.id,
        JSON.stringify(row),
      ),
    children: (parentId) => connection.all<StoredRecord>(list, queue, parentId).map((stored) => read<ChildRow>(stored)),
    removeChildren: (parentId) =>
      connection.run('DELETE FROM millrace_child WHERE queue = ? AND parent_id = ?', queue, parentId),
  };
}

type ScheduleTables = Pick<Tables, 'schedule' | 'saveSchedule' | 'removeSchedule' | 'schedules' | 'dueSchedules'>;

/** Cron schedules. */
export function scheduleTables(connection: Connection, queue: number): ScheduleTables {
  const schedule = (key: string): ScheduleRecord | undefined => {
    const sql = 'SELECT record FROM millrace_schedule WHERE queue = ? AND key = ?';
    const stored = connection.get<StoredRecord>(sql, queue, key);
    return stored && read<ScheduleRecord>(stored);
  };
  return {
    schedule,
    saveSchedule: (row) =>
      connection.run(
        'INSERT OR REPLACE INTO millrace_schedule (queue, key, next_at, record) VALUES (?, ?, ?, ?)',
        queue,
        row.key,
        row.nextAt ?? null,
        JSON.stringify(row),
      ),
    removeSchedule: (key) => {
      const known = schedule(key) !== undefined;
      connection.run('DELETE FROM millrace_schedule WHERE queue = ? AND key = ?', queue, key);
      return known;
    },
    schedules: () =>
      connection
        .all<StoredRecord>('SELECT record FROM millrace_schedule WHERE queue = ? ORDER BY key', queue)
        .map((stored) => read<ScheduleRecord>(stored)),
    dueSchedules: (now, limit) =>
      connection.all<{ key: string }>(hot.dueSchedules, queue, now, limit).map(({ key }) => key),
  };
}
