import type { Clock } from '../clock.ts';
import type { HoldAnswer, LedgerScope, LedgerState, LedgerStore } from '../store.ts';

/** State of one budget scope. */
export interface Account {
  spent: number;
  readonly holds: Map<string, { readonly amount: number; expires: number }>;
  /** Ids that are booked, until the scope is forgotten: a repeated settle must not book twice. */
  readonly settled: Map<string, number>;
  forgetAt: number;
}

/** Ids of settled calls are remembered this long. */
const settledMs = 86_400_000;

/** Budgets in this process. */
export class MemoryLedger implements LedgerStore {
  readonly #clock: Clock;
  readonly #accounts: Map<string, Account>;

  /** @param accounts - where the state lies; another store may bring its own for one operation */
  constructor(clock: Clock, accounts: Map<string, Account> = new Map()) {
    this.#clock = clock;
    this.#accounts = accounts;
  }

  now(): number {
    return this.#clock.now();
  }

  hold(account: string, id: string, scopes: readonly LedgerScope[], amount: number, leaseMs: number): HoldAnswer {
    const accounts = this.#open(account, scopes);
    const exceeded = accounts.findIndex((entry, i) => spentAndHeld(entry) + amount > (scopes[i]?.cap ?? 0));
    if (exceeded === -1) {
      const expires = this.#clock.monotonic() + leaseMs;
      for (const { holds } of accounts) holds.set(id, { amount, expires });
    }
    return { ok: exceeded === -1, exceeded, scopes: accounts.map(stateOf) };
  }

  extend(account: string, id: string, scopes: readonly LedgerScope[], leaseMs: number): boolean {
    const holds = this.#open(account, scopes).map((entry) => entry.holds.get(id));
    for (const hold of holds) if (hold !== undefined) hold.expires = this.#clock.monotonic() + leaseMs;
    return holds.every((hold) => hold !== undefined);
  }

  settle(account: string, id: string, scopes: readonly LedgerScope[], actual: number): LedgerState[] {
    return this.#open(account, scopes).map((entry) => {
      entry.holds.delete(id);
      if (!entry.settled.has(id)) entry.spent += actual;
      entry.settled.set(id, this.#clock.monotonic() + settledMs);
      return stateOf(entry);
    });
  }

  read(account: string, scopes: readonly LedgerScope[]): LedgerState[] {
    return this.#open(account, scopes).map(stateOf);
  }

  #open(account: string, scopes: readonly LedgerScope[]): Account[] {
    const now = this.#clock.monotonic();
    this.#forget(now);
    return scopes.map(({ key, keepMs }) => {
      const name = ledgerName(account, key);
      const entry = this.#accounts.get(name) ?? { spent: 0, holds: new Map(), settled: new Map(), forgetAt: 0 };
      entry.forgetAt = now + keepMs;
      this.#accounts.set(name, entry);
      for (const [id, { expires }] of entry.holds) if (expires <= now) entry.holds.delete(id);
      for (const [id, until] of entry.settled) {
        if (until > now) break;
        entry.settled.delete(id);
      }
      return entry;
    });
  }

  #forget(now: number): void {
    for (const [name, { forgetAt }] of this.#accounts) {
      if (forgetAt > now) break;
      this.#accounts.delete(name);
    }
  }
}

/** The name of a scope's state. */
export function ledgerName(account: string, key: string): string {
  return `${account}\n${key}`;
}

function stateOf(entry: Account): LedgerState {
  return { spent: entry.spent, held: heldIn(entry) };
}

function spentAndHeld(entry: Account): number {
  return entry.spent + heldIn(entry);
}

function heldIn({ holds }: Account): number {
  let held = 0;
  for (const { amount } of holds.values()) held += amount;
  return held;
}
