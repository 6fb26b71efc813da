import type { TenantLimits } from '../../contract/index.ts';
import { noLimits } from '../engine/call.ts';
import type { TenantRow } from '../engine/rows.ts';
import { stepOf, type Tables } from '../engine/tables.ts';
import { createTenantTables } from '../memory/tenants.ts';
import type { Connection } from './connection.ts';
import { hot } from './statements.ts';

/** A tenant as SQLite returns it. */
interface StoredTenant {
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
  readonly ringed: number;
  readonly head_class: number;
  readonly since: number;
  readonly parked_until: number | null;
}

type TenantTables = Pick<Tables, 'tenant' | 'saveTenant' | 'ringTop' | 'ringUrgent' | 'parkedBefore' | 'tenantsAfter'>;

/** Tenants of one order, read ahead from the file as it was at the start of the call. */
interface Window {
  readonly sql: string;
  rows: readonly StoredTenant[];
  next: number;
  complete: boolean;
}

/** First a few, then many. */
const firstWindow = 4;
const nextWindow = 128;

/**
 * Tenants in SQLite. During a call those that were touched live in memory tables, which keep their order; the others come from the file, which does not
 * change before {@link SqliteTenants.flush}. Each tenant is so written once per call, however many of its jobs were claimed.
 */
export class SqliteTenants implements TenantTables {
  readonly #connection: Connection;
  readonly #queue: number;
  readonly #aging: () => number;
  #live: ReturnType<typeof createTenantTables>;
  #dirty = new Set<TenantRow>();
  #ring: Window = newWindow(hot.ring);
  #urgent: Window = newWindow(hot.urgent);

  constructor(connection: Connection, queue: number, aging: () => number) {
    this.#connection = connection;
    this.#queue = queue;
    this.#aging = aging;
    this.#live = createTenantTables(aging);
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    this.#live = createTenantTables(this.#aging);
    this.#dirty.clear();
    this.#ring = newWindow(hot.ring);
    this.#urgent = newWindow(hot.urgent);
  }

  tenant(name: string): TenantRow {
    const known = this.#live.all.get(name);
    if (known !== undefined) return known;
    const stored = this.#connection.get<StoredTenant>(hot.tenant, this.#queue, name);
    return stored === undefined ? this.#live.tenant(name) : this.#load(stored);
  }

  saveTenant(row: TenantRow): void {
    this.#live.saveTenant(row);
    this.#dirty.add(row);
  }

  ringTop(): TenantRow | undefined {
    this.#loadWhile(
      this.#ring,
      (stored, top) =>
        stored.head_class === top.headClass ? stored.vtime < top.vtime : stored.head_class > top.headClass,
      () => this.#live.ringTop(),
    );
    return this.#live.ringTop();
  }

  ringUrgent(): TenantRow | undefined {
    const step = stepOf(this.#aging());
    this.#loadWhile(
      this.#urgent,
      (stored, top) => stored.since - stored.head_class * step < top.since - top.headClass * step,
      () => this.#live.ringUrgent(),
    );
    return this.#live.ringUrgent();
  }

  parkedBefore(now: number, limit: number): TenantRow[] {
    return this.#all(hot.parkedBefore, now, limit).filter(
      (row) => (row.parkedUntil ?? Number.POSITIVE_INFINITY) <= now,
    );
  }

  tenantsAfter(name: string | undefined, limit: number): TenantRow[] {
    this.flush();
    const from = name === undefined ? 'name >= ?' : 'name > ?';
    return this.#all(
      `SELECT * FROM millrace_tenant WHERE queue = ? AND ${from} ORDER BY name LIMIT ?`,
      name ?? '',
      limit,
    );
  }

  /** Writes what has changed. The windows are of the past then, so this ends a call. */
  flush(): void {
    for (const row of this.#dirty) this.#write(row);
    this.#dirty.clear();
  }

  /** Forgets a few tenants that have nothing to remember, so that their number does not grow with all that ever were. */
  dropIdle(vclock: number): void {
    this.#connection.run(hot.dropIdle, this.#queue, vclock);
  }

  #load(stored: StoredTenant): TenantRow {
    const row = this.#live.tenant(stored.name);
    Object.assign(row, toTenantRow(stored));
    this.#live.saveTenant(row);
    return row;
  }

  #all(sql: string, ...values: (string | number)[]): TenantRow[] {
    return this.#connection
      .all<StoredTenant>(sql, this.#queue, ...values)
      .map((stored) => this.#live.all.get(stored.name) ?? this.#load(stored));
  }

  /** Loads tenants of the window as long as the next one in the file comes before the best that is live. */
  #loadWhile(
    window: Window,
    before: (stored: StoredTenant, top: TenantRow) => boolean,
    topOf: () => TenantRow | undefined,
  ): void {
    for (let stored = this.#peek(window); stored !== undefined; stored = this.#peek(window)) {
      const top = topOf();
      if (top !== undefined && !before(stored, top)) return;
      this.#load(stored);
    }
  }

  /** The next tenant of the window that is not live: what is live may have changed. */
  #peek(window: Window): StoredTenant | undefined {
    for (;;) {
      const stored = window.rows[window.next];
      if (stored !== undefined && !this.#live.all.has(stored.name)) return stored;
      if (stored !== undefined) window.next += 1;
      else if (window.complete) return undefined;
      else this.#readMore(window);
    }
  }

  #readMore(window: Window): void {
    const size = window.rows.length === 0 ? firstWindow : nextWindow;
    const more = this.#connection.all<StoredTenant>(window.sql, this.#queue, size, window.rows.length);
    window.rows = [...window.rows, ...more];
    window.complete = more.length < size;
  }

  #write(row: TenantRow): void {
    this.#connection.run(
      hot.saveTenant,
      this.#queue,
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
      row.ringed ? 1 : 0,
      row.headClass,
      row.since,
      row.since - row.headClass * stepOf(this.#aging()),
      row.parkedUntil ?? null,
    );
  }
}

function newWindow(sql: string): Window {
  return { sql, rows: [], next: 0, complete: false };
}

function toTenantRow(stored: StoredTenant): Omit<TenantRow, 'ringSlot' | 'urgentSlot' | 'parkSlot'> {
  return {
    name: stored.name,
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
    ringed: stored.ringed === 1,
    headClass: stored.head_class,
    since: stored.since,
    parkedUntil: stored.parked_until ?? undefined,
  };
}
