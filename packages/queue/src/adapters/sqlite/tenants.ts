import type { TenantLimits } from '../../contract/index.ts';
import { noLimits } from '../engine/call.ts';
import type { JobRow } from '../engine/job-row.ts';
import type { TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { newTenant } from '../memory/tenants.ts';
import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';
import { listIn, runForMany } from './many.ts';
import { countTenant, hot, saveTenant, tenantColumns } from './statements.ts';

/** A tenant as SQLite returns it: see `tenantColumns`. */
export interface StoredTenant {
  /** A {@link TenantList} as JSON. */
  readonly tenant: string;
  readonly vtime: number;
  readonly tat: number;
  readonly parked_until: number | null;
}

type TenantList = readonly [
  name: string,
  limits: string | null,
  paused: number,
  ready: number,
  delayed: number,
  leased: number,
  waitingBytes: number,
  spent: number,
  window: number,
  held: number,
];

type TenantTables = Pick<Tables, 'tenant' | 'saveTenant' | 'parkedBefore' | 'heldTenants' | 'tenantsAfter'>;

/** Tenants in SQLite. Within one call a tenant is one object; it is written once, however many of its jobs were claimed. */
export class SqliteTenants implements TenantTables {
  readonly #connection: Connection;
  readonly #queue: number;
  #rows = new Map<string, TenantRow>();
  #dirty = new Set<TenantRow>();
  /** Tenants of the file that had nothing but counters and times when they were read. */
  #simple = new Set<TenantRow>();

  constructor(connection: Connection, queue: number) {
    this.#connection = connection;
    this.#queue = queue;
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    if (this.#rows.size > 0) this.#rows = new Map();
    if (this.#dirty.size > 0) this.#dirty = new Set();
    if (this.#simple.size > 0) this.#simple = new Set();
  }

  tenant(name: string): TenantRow {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const stored = this.#connection.get<StoredTenant>(hot.tenant, this.#queue, name);
    return stored === undefined ? this.#add(newTenant(name)) : this.take(toTenantRow(stored));
  }

  /** The one object of this call for a tenant that was read. */
  take(row: TenantRow): TenantRow {
    const known = this.#rows.get(row.name);
    if (known !== undefined) return known;
    if (isSimple(row)) this.#simple.add(row);
    return this.#add(row);
  }

  /** Reads tenants at once; those that are not in the file are new. */
  expect(names: ReadonlySet<string>): void {
    const unknown = [...names].filter((name) => !this.#rows.has(name));
    if (unknown.length < 2) return;
    const found = this.#connection.all<StoredTenant>(hot.tenantsByName, JSON.stringify(unknown), this.#queue);
    for (const stored of found) this.take(toTenantRow(stored));
    for (const name of unknown) if (!this.#rows.has(name)) this.#add(newTenant(name));
  }

  /**
   * The leases of these jobs end in this call, before anything else happens. Where that changes nothing but the number of a tenant's leases, it is
   * written at once, unread, and a stand-in takes what the engine does to the tenant. Only where no tenant has limits by default.
   */
  endLeases(jobs: readonly JobRow[]): void {
    const ended = new Map<string, number>();
    for (const { tenant } of jobs) ended.set(tenant, (ended.get(tenant) ?? 0) + 1);
    if (ended.size < 2) return;
    const byCount = new Map<number, string[]>();
    for (const [name, count] of ended) listIn(byCount, count).push(name);
    let simple = 0;
    for (const [count, names] of byCount) {
      simple += this.#connection.change(hot.endLeases, count, this.#queue, JSON.stringify(names));
    }
    const particular = simple === ended.size ? none : this.#readParticular([...ended.keys()]);
    const standIn = makeStandIn();
    for (const job of jobs) if (!particular.has(job.tenant)) job.home = standIn;
  }

  #readParticular(names: readonly string[]): ReadonlySet<string> {
    const rows = this.#connection.all<{ name: string }>(hot.particularTenants, JSON.stringify(names), this.#queue);
    const found = new Set(rows.map(({ name }) => name));
    this.expect(found);
    return found;
  }

  saveTenant(row: TenantRow): void {
    this.#dirty.add(row);
  }

  parkedBefore(now: number, limit: number): TenantRow[] {
    const parked = this.#all(hot.parkedBefore, now, limit);
    return parked.filter(({ parkedUntil = Number.POSITIVE_INFINITY }) => parkedUntil <= now);
  }

  heldTenants(): TenantRow[] {
    return this.#all(hot.heldTenants);
  }

  tenantsAfter(name: string | undefined, limit: number): TenantRow[] {
    this.flush();
    const from = name === undefined ? 'name >= ?' : 'name > ?';
    const sql = `SELECT ${tenantColumns} FROM millrace_tenant AS t WHERE t.queue = ? AND t.${from} ORDER BY t.name LIMIT ?`;
    return this.#all(sql, name ?? '', limit);
  }

  /** Writes what has changed. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    const counted: SqlValue[][] = [];
    const whole: SqlValue[][] = [];
    for (const row of this.#dirty) {
      if (this.#simple.has(row) && isSimple(row)) counted.push(toCounts(row, this.#queue));
      else whole.push(toValues(row, this.#queue));
    }
    runForMany(this.#connection, countTenant, counted);
    runForMany(this.#connection, saveTenant, whole);
    this.#dirty.clear();
  }

  /** Forgets a few tenants that have nothing to remember, so that their number does not grow with all that ever were. */
  dropIdle(vclock: number): void {
    this.#connection.run(hot.dropIdle, this.#queue, vclock);
  }

  #add(row: TenantRow): TenantRow {
    this.#rows.set(row.name, row);
    return row;
  }

  #all(sql: string, ...values: (string | number)[]): TenantRow[] {
    return this.#connection
      .all<StoredTenant>(sql, this.#queue, ...values)
      .map((stored) => this.take(toTenantRow(stored)));
  }
}

const none: ReadonlySet<string> = new Set();

/** A tenant that is thrown away: as if it were going to be saved already, so that the engine does not ask for that. */
function makeStandIn(): TenantRow {
  return { ...newTenant(''), touched: true };
}

/** In the order of {@link saveTenant}. */
function toValues(row: TenantRow, queue: number): SqlValue[] {
  return [
    queue,
    row.name,
    row.limits === noLimits ? null : JSON.stringify(row.limits),
    row.paused ? 1 : 0,
    row.ready,
    row.delayed,
    row.leased,
    row.waitingBytes,
    row.vtime,
    row.tat,
    row.spent,
    row.window,
    row.held ? 1 : 0,
    row.parkedUntil ?? null,
  ];
}

/** In the order of {@link countTenant}. */
function toCounts(row: TenantRow, queue: number): SqlValue[] {
  return [queue, row.name, row.ready, row.delayed, row.leased, row.waitingBytes, row.vtime];
}

/** Whether nothing is to be known of the tenant but its counters and its virtual time. */
function isSimple(row: TenantRow): boolean {
  const limited = row.limits !== noLimits || row.tat !== 0 || row.spent !== 0 || row.window !== 0;
  return !limited && !row.paused && !row.held && row.parkedUntil === undefined;
}

/** The tenant as the engine works on it. */
export function toTenantRow(stored: StoredTenant): TenantRow {
  const [name, limits, paused, ready, delayed, leased, waitingBytes, spent, window, held] = JSON.parse(
    stored.tenant,
  ) as TenantList;
  const row = newTenant(name);
  if (limits !== null) row.limits = JSON.parse(limits) as TenantLimits;
  row.paused = paused === 1;
  row.ready = ready;
  row.delayed = delayed;
  row.leased = leased;
  row.waitingBytes = waitingBytes;
  row.vtime = stored.vtime;
  row.tat = stored.tat;
  row.spent = spent;
  row.window = window;
  row.held = held === 1;
  row.parkedUntil = stored.parked_until ?? undefined;
  return row;
}
