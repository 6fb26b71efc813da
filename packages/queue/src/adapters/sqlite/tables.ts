import type { QueueSettings } from '../../contract/index.ts';
import { defaultSettings } from '../../contract/limits.ts';
import { AdapterUnavailableError } from '../../errors.ts';
import { newQueueState, type QueueRow, type QueueState } from '../engine/rows.ts';
import { type NextTimes, type Tables, turnOf } from '../engine/tables.ts';
import type { Connection } from './connection.ts';
import { SqliteJobs } from './jobs.ts';
import { peopleTables } from './people.ts';
import { SqliteRings } from './rings.ts';
import { queuesPerFile } from './schema.ts';
import { childTables, dedupeTables, scheduleTables, sessionTables } from './small-tables.ts';
import { hot } from './statements.ts';
import { SqliteTenants } from './tenants.ts';

/** The tables of one queue in a file. A call is `begin`, engine work, `end`, inside one transaction. */
export interface SqliteTables extends Tables {
  /** Number of the queue in the file. */
  readonly number: number;
  /** Reads the queue's row and forgets all that an earlier call has read. */
  begin(): void;
  /** Writes what the call has changed. */
  end(): void;
}

interface StoredQueue {
  readonly state: string;
  readonly settings: string;
}

/** Finds the queue in the file, or makes it. Inside a transaction. @throws AdapterUnavailableError when the file is full of queues */
export function findQueue(connection: Connection, name: string): number {
  const find = 'SELECT number FROM millrace_queue WHERE name = ?';
  const known = connection.get<{ number: number }>(find, name);
  if (known !== undefined) return known.number;
  const number = (connection.get<{ n: number }>('SELECT count(*) AS n FROM millrace_queue')?.n ?? 0) + 1;
  if (number >= queuesPerFile) {
    throw new AdapterUnavailableError(`One SQLite file holds at most ${queuesPerFile - 1} queues. Use another file.`);
  }
  const insert = 'INSERT INTO millrace_queue (number, name, state, settings) VALUES (?, ?, ?, ?)';
  connection.run(insert, number, name, JSON.stringify(newQueueState()), JSON.stringify(defaultSettings));
  return number;
}

/** Creates the tables of the queue with this number. */
export function createSqliteTables(connection: Connection, number: number): SqliteTables {
  const holder = new QueueHolder(connection, number);
  const aging = (): number => holder.row.settings.aging;
  const jobs = new SqliteJobs(connection, number, (tenant) => tenant.ready === holder.row.ready);
  const tenants = new SqliteTenants(connection, number);
  const rings = new SqliteRings(connection, number, tenants, jobs, aging);

  function flush(): void {
    jobs.flush();
    tenants.flush();
    rings.flush();
  }

  return {
    number,
    get queue() {
      return holder.row;
    },
    expectJobs: (expected) => {
      jobs.lookUp(expected.map(({ id }) => id));
      tenants.expect(new Set(expected.map(({ tenant }) => tenant)));
    },
    expectAcks: (session, acks) => {
      const leases = acks();
      if (leases.length < 2) return;
      const held = jobs.readAcks(session, leases);
      // What limits all tenants by default may be waiting for the end of any lease.
      if (Object.keys(holder.row.settings.tenantDefaults).length === 0) tenants.endLeases(held);
      else tenants.expect(new Set(held.map(({ tenant }) => tenant)));
    },
    ...jobMethods(jobs),
    ...tenantMethods(tenants),
    ...ringMethods(rings),
    ...sessionTables(connection, number),
    ...dedupeTables(connection, number),
    ...childTables(connection, number),
    ...scheduleTables(connection, number),
    ...peopleTables(connection, number, jobs),
    nextTimes: () => {
      flush();
      return readNextTimes(connection, number);
    },
    reorder: () => reorder(connection, number, aging()),
    begin: () => {
      jobs.reset();
      tenants.reset();
      rings.reset();
      holder.read();
    },
    end: () => {
      flush();
      if (holder.row.vclock > 0) tenants.dropIdle(holder.row.vclock);
      holder.write();
    },
  };
}

function jobMethods(jobs: SqliteJobs): Pick<Tables, keyof SqliteJobs & keyof Tables> {
  return {
    job: (id) => jobs.job(id),
    leased: (session, id, fence) => jobs.leased(session, id, fence),
    insertJob: (row) => jobs.insertJob(row),
    saveJob: (row, before) => jobs.saveJob(row, before),
    saveContent: (row) => jobs.saveContent(row),
    removeJob: (row) => jobs.removeJob(row),
    changePriority: (row, priority) => jobs.changePriority(row, priority),
    head: (line) => jobs.head(line),
    isEmpty: (line) => jobs.isEmpty(line),
    expectClaims: (count) => jobs.expectClaims(count),
    delayedBefore: (now, limit) => jobs.delayedBefore(now, limit),
    visibleBefore: (now, limit) => jobs.visibleBefore(now, limit),
    leasedBy: (session, limit, calls) => jobs.leasedBy(session, limit, calls),
    cancelRequestsOf: (session) => jobs.cancelRequestsOf(session),
    oldestFinished: (state) => jobs.oldestFinished(state),
    keptBefore: (now, limit) => jobs.keptBefore(now, limit),
    oldestReadyAt: () => jobs.oldestReadyAt(),
  };
}

function tenantMethods(tenants: SqliteTenants): Pick<Tables, keyof SqliteTenants & keyof Tables> {
  return {
    tenant: (name) => tenants.tenant(name),
    saveTenant: (row) => tenants.saveTenant(row),
    parkedBefore: (now, limit) => tenants.parkedBefore(now, limit),
    heldTenants: () => tenants.heldTenants(),
    tenantsAfter: (name, limit) => tenants.tenantsAfter(name, limit),
  };
}

function ringMethods(rings: SqliteRings): Pick<Tables, keyof SqliteRings & keyof Tables> {
  return {
    line: (tenant, priority) => rings.line(tenant, priority),
    saveLine: (row) => rings.saveLine(row),
    removeLine: (row) => rings.removeLine(row),
    heldLines: (tenant) => rings.heldLines(tenant),
    ringTop: (priority) => rings.ringTop(priority),
    nextClass: () => rings.nextClass(),
    openClass: (priority, since) => rings.openClass(priority, since),
    saveClass: (row) => rings.saveClass(row),
    removeClass: (row) => rings.removeClass(row),
  };
}

function readNextTimes(connection: Connection, number: number): NextTimes {
  const row = connection.get<Record<keyof NextTimes, number | null>>(hot.next, number);
  return {
    delayed: row?.delayed ?? undefined,
    visible: row?.visible ?? undefined,
    kept: row?.kept ?? undefined,
    parked: row?.parked ?? undefined,
    expiry: row?.expiry ?? undefined,
    dedupe: row?.dedupe ?? undefined,
    schedule: row?.schedule ?? undefined,
  };
}

/** The classes get their turns by the new aging: at most as many rows as there are priorities. */
function reorder(connection: Connection, number: number, aging: number): void {
  const step = -turnOf({ priority: 1, since: 0 }, aging);
  connection.run('UPDATE millrace_class SET turn = since - priority * ? WHERE queue = ?', step, number);
}

/** The queue's row during a call. */
class QueueHolder {
  readonly #connection: Connection;
  readonly #number: number;
  #stored: StoredQueue = { state: '', settings: '' };
  row: QueueRow = { ...newQueueState(), settings: defaultSettings };

  constructor(connection: Connection, number: number) {
    this.#connection = connection;
    this.#number = number;
  }

  read(): void {
    const stored = this.#connection.get<StoredQueue>(hot.queue, this.#number);
    if (stored === undefined) throw new AdapterUnavailableError('The queue is gone from its SQLite file.');
    const { settings } = stored.settings === this.#stored.settings ? this.row : parseSettings(stored.settings);
    this.row = { ...(JSON.parse(stored.state) as QueueState), settings };
    this.#stored = { state: stored.state, settings: stored.settings };
  }

  write(): void {
    const { settings, ...state } = this.row;
    const json = JSON.stringify(state);
    if (json !== this.#stored.state) this.#connection.run(hot.saveQueue, json, this.#number);
    const changed = JSON.stringify(settings);
    if (changed !== this.#stored.settings) {
      this.#connection.run('UPDATE millrace_queue SET settings = ? WHERE number = ?', changed, this.#number);
    }
  }
}

function parseSettings(json: string): { readonly settings: QueueSettings } {
  return { settings: JSON.parse(json) as QueueSettings };
}
