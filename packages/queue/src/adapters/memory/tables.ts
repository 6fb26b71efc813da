import type { ScheduleRecord } from '../../contract/index.ts';
import { defaultSettings } from '../../contract/limits.ts';
import { type ChildRow, type DedupeRow, newQueueState, type QueueRow, type SessionRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { createJobTables } from './jobs.ts';
import { createPeopleTables } from './people.ts';
import { firstOf } from './reading.ts';
import { createTenantTables } from './tenants.ts';

/** The tables, and what the adapter does between calls. */
export interface MemoryTables extends Tables {
  dropIdle(now: number): void;
}

/** Creates the tables of an empty queue. */
export function createMemoryTables(): MemoryTables {
  const queue: QueueRow = { settings: defaultSettings, ...newQueueState() };
  const aging = (): number => queue.settings.aging;
  const { all: jobs, next, ...jobTables } = createJobTables(aging);
  const { all: tenants, dropIdle, reorder, nextParked, ...tenantTables } = createTenantTables(aging);
  const { nextExpiry, ...sessions } = sessionTables();
  const { nextDedupe, ...keys } = dedupeTables();
  const { nextSchedule, ...schedules } = scheduleTables();
  return {
    queue,
    ...jobTables,
    ...tenantTables,
    ...createPeopleTables(jobs, tenants, aging),
    ...sessions,
    ...keys,
    ...childTables(),
    ...schedules,
    nextTimes: () => ({
      ...next(),
      parked: nextParked(),
      expiry: nextExpiry(),
      dedupe: nextDedupe(),
      schedule: nextSchedule(),
    }),
    reorder: () => {
      jobTables.reorder();
      reorder();
    },
    dropIdle: (now) => dropIdle(queue.vclock, now),
  };
}

type SessionTables = Pick<Tables, 'session' | 'saveSession' | 'removeSession' | 'expiredSessions' | 'sessionCount'> & {
  nextExpiry(): number | undefined;
};

/** Sessions are few (one per worker), so walking over them is no scan worth an order of their own. */
function sessionTables(): SessionTables {
  const sessions = new Map<string, SessionRow>();
  const rows = (): SessionRow[] => [...sessions.values()];
  return {
    session: (id) => sessions.get(id),
    saveSession: (row) => void sessions.set(row.id, row),
    removeSession: (id) => void sessions.delete(id),
    expiredSessions: (now, limit) =>
      rows()
        .filter((row) => row.over || row.expiresAt <= now)
        .slice(0, limit),
    nextExpiry: () => {
      let next: number | undefined;
      for (const row of sessions.values()) next = Math.min(next ?? row.expiresAt, row.over ? 0 : row.expiresAt);
      return next;
    },
    sessionCount: (now) => rows().filter((row) => !row.over && row.expiresAt > now).length,
  };
}

type DedupeTables = Pick<Tables, 'dedupe' | 'saveDedupe' | 'removeDedupe' | 'dedupeBefore'> & {
  nextDedupe(): number | undefined;
};

function dedupeTables(): DedupeTables {
  const keys = new Map<string, DedupeRow>();
  /** Keys with an end, in the order in which they were taken: with one `ttl` per queue also the order of their ends. */
  const timed = new Set<DedupeRow>();
  return {
    dedupe: (key) => keys.get(key),
    saveDedupe: (row) => {
      const known = keys.get(row.key);
      if (known !== undefined) timed.delete(known);
      keys.set(row.key, row);
      if (row.until !== undefined) timed.add(row);
    },
    removeDedupe: (key) => {
      const known = keys.get(key);
      if (known !== undefined) timed.delete(known);
      keys.delete(key);
    },
    nextDedupe: () => firstOf(timed, 1)[0]?.until,
    dedupeBefore: (now, limit) => firstOf(timed, limit).filter((row) => (row.until ?? 0) <= now),
  };
}

function childTables(): Pick<Tables, 'addChild' | 'children' | 'removeChildren'> {
  const children = new Map<string, ChildRow[]>();
  return {
    addChild: (row) => void children.set(row.parentId, [...(children.get(row.parentId) ?? []), row]),
    children: (parentId) => children.get(parentId) ?? [],
    removeChildren: (parentId) => void children.delete(parentId),
  };
}

type ScheduleTables = Pick<Tables, 'schedule' | 'saveSchedule' | 'removeSchedule' | 'schedules' | 'dueSchedules'> & {
  nextSchedule(): number | undefined;
};

function scheduleTables(): ScheduleTables {
  const schedules = new Map<string, ScheduleRecord>();
  return {
    schedule: (key) => schedules.get(key),
    saveSchedule: (row) => void schedules.set(row.key, row),
    removeSchedule: (key) => schedules.delete(key),
    schedules: () => [...schedules.values()],
    dueSchedules: (now, limit) => {
      if (schedules.size === 0) return [];
      const due = [...schedules.values()].filter(({ nextAt }) => nextAt !== undefined && nextAt <= now);
      return due.slice(0, limit).map(({ key }) => key);
    },
    nextSchedule: () => {
      let next: number | undefined;
      for (const { nextAt } of schedules.values()) if (nextAt !== undefined) next = Math.min(next ?? nextAt, nextAt);
      return next;
    },
  };
}
