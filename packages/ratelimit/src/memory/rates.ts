import type { Clock } from '../clock.ts';
import {
  amend,
  book,
  type Cell,
  cellIndex,
  copiesNow,
  earliest,
  factorAt,
  type Gauge,
  gauge,
  lower,
  remaining,
} from '../gcra.ts';
import type { Adjustment, DebitDecision, DebitRequest, Pause, RateState, RateStore, RateTable } from '../store.ts';

/** Tables and scopes are dropped again when they are idle; looked for whenever their number has doubled. */
const sweepFrom = 1_024;

/** State of an account. */
export interface Account {
  pausedUntil: number;
  factor: number;
  factorSetAt: number;
}

interface Bound {
  readonly table: RateTable;
  readonly account: Account;
  /** By class, then by limit. */
  readonly classes: readonly (readonly Gauge[])[];
}

/** Rates in this process, decided synchronously. */
export class MemoryRates implements RateStore {
  readonly #clock: Clock;
  readonly #accounts: Map<string, Account>;
  readonly #cells: Map<string, Cell[]>;
  readonly #bound = new Map<string, Bound>();
  #sweepAt = sweepFrom;
  #limitedBy = -1;

  /** @param accounts - where the accounts' state lies, and `cells` the limits'; another store may bring its own for one operation */
  constructor(clock: Clock, accounts: Map<string, Account> = new Map(), cells: Map<string, Cell[]> = new Map()) {
    this.#clock = clock;
    this.#accounts = accounts;
    this.#cells = cells;
  }

  debit(table: RateTable, requests: readonly DebitRequest[]): readonly DebitDecision[] {
    const bound = this.#bind(table);
    const now = this.#now();
    const factor = this.#factor(bound, now);
    return requests.map((request) => this.#decide(bound, request, now, factor));
  }

  adjust(table: RateTable, adjustments: readonly Adjustment[]): void {
    const bound = this.#bind(table);
    const now = this.#now();
    const factor = this.#factor(bound, now);
    for (const { delta, at, share } of adjustments) {
      bound.classes[share]?.forEach((g, i) => {
        amend(g, delta[i] ?? 0, at, now, factor);
      });
    }
  }

  correct(table: RateTable, reported: readonly (number | undefined)[]): void {
    const bound = this.#bind(table);
    const now = this.#now();
    const factor = this.#factor(bound, now);
    bound.classes.forEach((gauges, share) => {
      gauges.forEach((g, i) => {
        const left = reported[i];
        if (left !== undefined) lower(g, left * (table.shares[share] ?? 1), now, factor);
      });
    });
  }

  pause(table: RateTable, pause: Pause): RateState {
    const { account } = this.#bind(table);
    const now = this.#now();
    account.pausedUntil = Math.max(account.pausedUntil, now + Math.ceil(pause.forMs * 1000));
    const factor = factorAt(account.factor, account.factorSetAt, now, table.recovery);
    if (pause.decrease < 1 && (account.factor === 1 || now - account.factorSetAt >= pause.cooldownMs * 1000)) {
      account.factor = Math.max(pause.floor, factor * pause.decrease);
      account.factorSetAt = now;
    }
    return this.read(table);
  }

  read(table: RateTable): RateState {
    const bound = this.#bind(table);
    const now = this.#now();
    const factor = this.#factor(bound, now);
    return {
      remaining: table.limits.map((_, i) =>
        bound.classes.reduce((sum, gauges) => sum + remaining(gauges[i] as Gauge, now, factor), 0),
      ),
      pausedFor: Math.max(0, bound.account.pausedUntil - now) / 1000,
      factor,
    };
  }

  #decide(bound: Bound, request: DebitRequest, now: number, factor: number): DebitDecision {
    let share = request.share;
    let at = this.#slot(bound, share, request.cost, now, factor);
    const limitedBy = this.#limitedBy;
    for (let other = 0; at > now && other < bound.classes.length; other++) {
      if (this.#slot(bound, other, request.cost, now, factor) > now) continue;
      share = other;
      at = now;
    }
    const wait = (at - now) / 1000;
    const pausedFor = Math.max(0, bound.account.pausedUntil - now) / 1000;
    if (wait > request.maxWait) return { granted: 0, wait, at, limitedBy, share, pausedFor };
    const granted = at > now ? 1 : this.#take(bound, share, request, now, factor);
    const gauges = bound.classes[share] as readonly Gauge[];
    for (let i = 0; i < gauges.length; i++) book(gauges[i] as Gauge, (request.cost[i] ?? 0) * granted, at, factor);
    return { granted, wait, at, limitedBy: at > now ? limitedBy : -1, share, pausedFor };
  }

  #slot(bound: Bound, share: number, cost: readonly number[], now: number, factor: number): number {
    const gauges = bound.classes[share] as readonly Gauge[];
    const from = Math.max(now, bound.account.pausedUntil);
    this.#limitedBy = from > now ? -2 : -1;
    let at = from;
    for (let i = 0; i < gauges.length; i++) {
      const slot = earliest(gauges[i] as Gauge, cost[i] ?? 0, from, factor);
      if (slot <= at) continue;
      at = slot;
      this.#limitedBy = i;
    }
    return at;
  }

  #take(bound: Bound, share: number, request: DebitRequest, now: number, factor: number): number {
    if (request.copies <= 1) return 1;
    let copies = request.copies;
    bound.classes[share]?.forEach((g, i) => {
      copies = Math.min(copies, copiesNow(g, request.cost[i] ?? 0, now, factor));
    });
    return Math.max(1, copies);
  }

  #bind(table: RateTable): Bound {
    const known = this.#bound.get(table.id);
    if (known?.table === table) return known;
    if (this.#bound.size >= this.#sweepAt) this.#sweep();
    const classes = table.shares.map((share, s) =>
      table.limits.map((spec, i) => gauge(this.#cell(table, i, s), spec, share)),
    );
    const bound = { table, account: this.#account(table.account), classes };
    this.#bound.set(table.id, bound);
    return bound;
  }

  #cell(table: RateTable, index: number, share: number): Cell {
    const scope = table.scopes[table.limits[index]?.scope ?? 0] ?? '';
    const name = scopeName(table.account, scope);
    const cells = this.#cells.get(name) ?? [];
    this.#cells.set(name, cells);
    const position = cellIndex(table, index, share);
    while (cells.length <= position) cells.push({ tat: 0, rebase: 0 });
    return cells[position] as Cell;
  }

  #account(name: string): Account {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const account = { pausedUntil: 0, factor: 1, factorSetAt: 0 };
    this.#accounts.set(name, account);
    return account;
  }

  /** A drained cell equals an absent one, so idle tables can be forgotten, with the state that no other table shares. */
  #sweep(): void {
    const now = this.#now();
    const usedScopes = new Set<string>();
    const usedAccounts = new Set<string>();
    for (const [id, { table, account, classes }] of this.#bound) {
      const idle = classes.every((gauges) => gauges.every(({ cell }) => cell.tat <= now));
      if (idle && account.pausedUntil <= now && account.factor === 1) {
        this.#bound.delete(id);
        continue;
      }
      usedAccounts.add(table.account);
      for (const scope of table.scopes) usedScopes.add(scopeName(table.account, scope));
    }
    for (const name of this.#cells.keys()) if (!usedScopes.has(name)) this.#cells.delete(name);
    for (const name of this.#accounts.keys()) if (!usedAccounts.has(name)) this.#accounts.delete(name);
    this.#sweepAt = Math.max(sweepFrom, this.#bound.size * 2);
  }

  #factor({ account, table }: Bound, now: number): number {
    return account.factor === 1 ? 1 : factorAt(account.factor, account.factorSetAt, now, table.recovery);
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() * 1000);
  }
}

/** The name of a scope's state. */
export function scopeName(account: string, scope: string): string {
  return `${account}\n${scope}`;
}
