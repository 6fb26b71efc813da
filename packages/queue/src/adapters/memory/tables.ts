import type { ScheduleRecord } from '../../contract/index.ts';
import { defaultSettings } from '../../contract/limits.ts';
import { type ChildRow, type DedupeRow, newQueueState, type QueueRow, type SessionRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { createJobTables } from './jobs.ts';
import { createLineTables } from './lines.ts';
import { createPeopleTables } from './people.ts';
import { createRings } from './ring.ts';
import { createTenantTables } from './tenants.ts';
import { createTimedRows } from './timed.ts';

/** The tables, and what the adapter does between calls. */
export interface MemoryTables extends Tables {
  dropIdle(now: number): void;
}

/** Creates the tables of an empty queue. */
export function createMemoryTables(): MemoryTables {
  const queue: QueueRow = { settings: defaultSettings, ...newQueueState() };
  const aging = (): number => queue.settings.aging;
  const { all: tenants, dropIdle, nextParked, ...tenantTables } = createTenantTables();
  const { put, ...rings } = createRings(aging);
  const { append, putBack, ...lines } = createLineTables(put);
  const {
    all: jobs,
    next,
    ...jobTables
  } = createJobTables((row, isNew) => {
    const tenant = row.home ?? tenantTables.tenant(row.tenant);
    if (isNew) append(tenant, row);
    else putBack(tenant, row);
  });
  const { nextExpiry, ...sessions } = sessionTables();
  const { nextDedupe, ...keys } = dedupeTables();
  const { nextSchedule, ...schedules } = scheduleTables();
  return {
    queue,
    ...jobTables,
    ...tenantTables,
    ...lines,
    ...rings,
    ...createPeopleTables(jobs, tenants),
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
  const keys = createTimedRows<DedupeRow>((row) => row.until);
  return {
    dedupe: keys.get,
    saveDedupe: (row) => keys.set(row.key, row),
    removeDedupe: (key) => void keys.delete(key),
    nextDedupe: keys.next,
    dedupeBefore: keys.due,
  };
}

function childTables(): Pick<Tables, 'addChild' | 'children' | 'removeChildren'> {
  const children = new Map<string, ChildRow[]>();
  return {
    addChild: (row) => {
      const known = children.get(row.parentId);
      if (known === undefined) children.set(row.parentId, [row]);
      else known.push(row);
    },
    children: (parentId) => children.get(parentId) ?? [],
    removeChildren: (parentId) => void children.delete(parentId),
  };
}

type ScheduleTables = Pick<Tables, 'schedule' | 'saveSchedule' | 'removeSchedule' | 'schedules' | 'dueSchedules'> & {
  nextSchedule(): number | undefined;
};

function scheduleTables(): ScheduleTables {
  const schedules = createTimedRows<ScheduleRecord>((row) => row.nextAt);
  return {
    schedule: schedules.get,
    saveSchedule: (row) => schedules.set(row.key, row),
    removeSchedule: schedules.delete,
    schedules: schedules.rows,
    dueSchedules: (now, limit) => schedules.due(now, limit).map(({ key }) => key),
    nextSchedule: schedules.next,
  };
}
