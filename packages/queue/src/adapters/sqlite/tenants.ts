import type { TenantLimits } from '../../contract/index.ts';
import { noLimits } from '../engine/call.ts';
import type { TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { newTenant } from '../memory/tenants.ts';
import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';
import { runForMany } from './many.ts';
import { hot, saveTenant } from './statements.ts';

/** A tenant as SQLite returns it. */
export interface StoredTenant {
  readonly name: string;
  readonly limits: string | null;
  readonly paused: number;
  readonly ready: number;
  readonly delayed: number;
  readonly leased: number;
  readonly waiting_bytes: number;
  readonly vtime: number;
  readonly tat: number;
  readonly spent: number;
  readonly window: number;
  readonly held: number;
  readonly parked_until: number | null;
}

type TenantTables = Pick<Tables, 'tenant' | 'saveTenant' | 'parkedBefore' | 'heldTenants' | 'tenantsAfter'>;

/** Tenants in SQLite. Within one call a tenant is one object; it is written once, however many of its jobs were claimed. */
export class SqliteTenants implements TenantTables {
  readonly #connection: Connection;
  readonly #queue: number;
  #rows = new Map<string, TenantRow>();
  #dirty = new Set<TenantRow>();

  constructor(connection: Connection, queue: number) {
    this.#connection = connection;
    this.#queue = queue;
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    if (this.#rows.size > 0) this.#rows = new Map();
    if (this.#dirty.size > 0) this.#dirty = new Set();
  }

  tenant(name: string): TenantRow {
    const known = this.#rows.get(name);
    if (known !== undefined) return known;
    const stored = this.#connection.get<StoredTenant>(hot.tenant, this.#queue, name);
    return stored === undefined ? this.#add(newTenant(name)) : this.take(stored);
  }

  /** The one object of this call for a stored tenant. */
  take(stored: StoredTenant): TenantRow {
    return this.#rows.get(stored.name) ?? this.#add(toTenantRow(stored));
  }

  /** Reads tenants at once; those that are not in the file are new. */
  expect(names: ReadonlySet<string>): void {
    const unknown = [...names].filter((name) => !this.#rows.has(name));
    if (unknown.length < 2) return;
    const found = this.#connection.all<StoredTenant>(hot.tenantsByName, JSON.stringify(unknown), this.#queue);
    for (const stored of found) this.take(stored);
    for (const name of unknown) if (!this.#rows.has(name)) this.#add(newTenant(name));
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
    const sql = `SELECT * FROM millrace_tenant WHERE queue = ? AND ${from} ORDER BY name LIMIT ?`;
    return this.#all(sql, name ?? '', limit);
  }

  /** Writes what has changed. */
  flush(): void {
    if (this.#dirty.size === 0) return;
    runForMany(
      this.#connection,
      saveTenant,
      [...this.#dirty].map((row) => toValues(row, this.#queue)),
    );
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
    return this.#connection.all<StoredTenant>(sql, this.#queue, ...values).map((stored) => this.take(stored));
  }
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

function toTenantRow(stored: StoredTenant): TenantRow {
  return {
    ...newTenant(stored.name),
    limits: stored.limits === null ? noLimits : (JSON.parse(stored.limits) as TenantLimits),
    paused: stored.paused === 1,
    ready: stored.ready,
    delayed: stored.delayed,
    leased: stored.leased,
    waitingBytes: stored.waiting_bytes,
    vtime: stored.vtime,
    tat: stored.tat,
    spent: stored.spent,
    window: stored.window,
    held: stored.held === 1,
    parkedUntil: stored.parked_until ?? undefined,
  };
}
