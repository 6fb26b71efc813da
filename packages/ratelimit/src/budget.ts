import { BudgetHold } from './budget-hold.ts';
import { type BudgetPeriod, type PeriodSpan, periodAt } from './budget-period.ts';
import { type Clock, systemClock } from './clock.ts';
import { asContext, createContext } from './context.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { BudgetExceededError, InvalidOptionError } from './errors.ts';
import type { BudgetAlertEvent, RateLimitInstrumentation } from './instrumentation.ts';
import { memoryStore } from './memory.ts';
import type { CallContext, CallInit, Cost, Policy } from './policy.ts';
import type { LedgerScope, LedgerState, Store } from './store.ts';
import { StoreGate } from './store-gate.ts';

/** A cap on money. A call must fit into every scope. */
export interface BudgetScopeOptions {
  /** What the cap is for: `tenant`, `run`, `organisation`. */
  readonly name: string;
  /** Which one, e.g. `(ctx) => ctx.tenant`; undefined means that the scope does not apply to the call. @default one for all */
  readonly of?: (ctx: CallContext) => string | undefined;
  /** The cap in whole micro-USD (1 USD = 1 000 000), fixed or per call. */
  readonly cap: number | ((ctx: CallContext) => number);
  /** When the cap starts anew (UTC, by the store's clock). @default 'total' */
  readonly per?: BudgetPeriod;
}

/** Options of {@link budget}. */
export interface BudgetOptions {
  readonly scopes: readonly BudgetScopeOptions[];
  /** The most that a call may cost, in micro-USD: this much is held while it runs. Below the truth it may overspend by the difference. */
  readonly estimate: (ctx: CallContext) => number;
  /** What a call did cost, from the usage it settled, in micro-USD. @default usage.microUsd, else the estimate */
  readonly actual?: (usage: Cost, ctx: CallContext) => number;
  /** Where the books are kept. @default memoryStore(), this process only */
  readonly store?: Pick<Store, 'name' | 'ledger'>;
  /** The account that the books belong to (one Redis Cluster slot). @default 'budget' */
  readonly account?: string;
  /** How long the hold of a process that died stays; live ones are extended. @default '1m' */
  readonly lease?: Duration;
  /** Shares of a cap at which `onAlert` is called, once per process and period. @default [0.5, 0.8, 1] */
  readonly alertAt?: readonly number[];
  /** @default none */
  readonly onAlert?: (alert: BudgetAlertEvent) => void;
  /** While the store is down: `closed` refuses, `open` lets calls through unbooked. @default 'closed' */
  readonly onStoreDown?: 'closed' | 'open';
  /** Time after which an unanswered store counts as down. @default 1000 */
  readonly storeTimeout?: Duration;
  /** @default 'budget' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** Where a scope stands, in micro-USD. */
export interface BudgetStatus extends LedgerState {
  /** Scope and period, e.g. `tenant:acme/2026-11-23`. */
  readonly scope: string;
  readonly cap: number;
  /** What will be spent at the end of the period if it goes on like this. */
  readonly forecast: number;
  /** Milliseconds until the cap is reached if it goes on like this; Infinity when it is not reached within the period. */
  readonly exhaustedIn: number;
}

/** The policy made by {@link budget}, also usable by hand. */
export interface Budget extends Policy {
  /** Holds money for a call. @throws BudgetExceededError when it does not fit */
  reserve(init: CallInit | CallContext, amount?: number): Promise<BudgetHold>;
  /** Where the scopes of a call stand. */
  status(init?: CallInit): Promise<BudgetStatus[]>;
}

/**
 * Keeps spending within caps: the most a call may cost is held before it is made, in all scopes or in none; what it did cost is booked after.
 * Racing calls cannot overspend together, and the hold of a process that died comes back.
 *
 * @example
 * ```ts
 * const spend = budget({
 *   scopes: [{ name: 'tenant', of: (ctx) => ctx.tenant, cap: 50_000_000, per: 'day' }],
 *   estimate: () => 400_000,
 * });
 * ```
 */
export function budget(options: BudgetOptions): Budget {
  const engine = new BudgetEngine(options);
  const policy: Policy = (next, ctx) => engine.run(next, ctx);
  return Object.assign(policy, {
    reserve: (init: CallInit | CallContext, amount?: number) => engine.reserve(asContext(init), amount),
    status: (init: CallInit = {}) => engine.status(createContext(init)),
  });
}

interface ActiveScope extends LedgerScope {
  readonly span: PeriodSpan;
}

/** Time for late settles after a period's end. */
const graceMs = 86_400_000;
/** A scope without a period is kept this long after its last use. */
const totalKeepMs = 90 * 86_400_000;
/** How long the difference to the store's clock is trusted. */
const clockTrustMs = 60_000;

class BudgetEngine {
  readonly #options: BudgetOptions;
  readonly #store: Pick<Store, 'name' | 'ledger'>;
  readonly #clock: Clock;
  readonly #gate: StoreGate;
  readonly #leaseMs: number;
  readonly #alerted = new Map<string, number>();
  #clockOffset = 0;
  #clockReadAt = Number.NEGATIVE_INFINITY;

  constructor(options: BudgetOptions) {
    const { clock = systemClock, scopes, instrumentation } = options;
    if (scopes.length === 0) throw new InvalidOptionError('Expected `scopes` to hold at least one scope.');
    this.#options = options;
    this.#clock = clock;
    this.#store = options.store ?? memoryStore({ clock });
    const timeoutMs = toMilliseconds(options.storeTimeout ?? 1_000, 'storeTimeout');
    this.#gate = new StoreGate({ store: this.#store.name, timeoutMs, clock, instrumentation });
    this.#leaseMs = toMilliseconds(options.lease ?? '1m', 'lease');
  }

  async run<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const hold = await this.reserve(ctx);
    let used: number | undefined;
    const onSettle = (usage: Cost): void => {
      used = (used ?? 0) + this.#actual(usage, ctx);
    };
    try {
      const value = await next(ctx.derive({ onSettle }));
      await hold.settle(used ?? hold.amount);
      return value;
    } catch (error) {
      // A call that failed without a usage cost nothing; one that reported usage before it failed did.
      await hold.settle(used ?? 0);
      throw error;
    }
  }

  async reserve(ctx: CallContext, amount: number = this.#options.estimate(ctx)): Promise<BudgetHold> {
    const held = wholeMicros(amount, 'estimate');
    const account = this.#options.account ?? 'budget';
    const hold = new BudgetHold({
      amount: held,
      leaseMs: this.#leaseMs,
      clock: this.#clock,
      extend: (id) => this.#ask(() => this.#store.ledger.extend(account, id, scopes, this.#leaseMs)),
      settle: async (id, actual) => {
        const states = await this.#ask(() => this.#store.ledger.settle(account, id, scopes, actual));
        this.#report(actual === 0 ? 'release' : 'settle', actual, scopes, states);
      },
    });
    const scopes = await this.#unlessDown(this.#scopes(ctx), []);
    if (scopes.length === 0) return hold;
    const { ledger } = this.#store;
    const undo = (): void => void Promise.resolve(ledger.settle(account, hold.id, scopes, 0)).catch(() => {});
    const question = async (): Promise<void> => {
      const answer = await this.#gate.ask(() => ledger.hold(account, hold.id, scopes, held, this.#leaseMs), undo);
      if (!answer.ok) throw this.#refuse(ctx, scopes[answer.exceeded], answer.scopes[answer.exceeded]);
      this.#report('hold', held, scopes, answer.scopes);
      hold.start();
    };
    await this.#unlessDown(question(), undefined);
    return hold;
  }

  async status(ctx: CallContext): Promise<BudgetStatus[]> {
    const scopes = await this.#scopes(ctx);
    const states = await this.#ask(() => this.#store.ledger.read(this.#options.account ?? 'budget', scopes));
    const now = this.#clock.now() + this.#clockOffset;
    return scopes.map((scope, i) => forecast(scope, states[i] ?? { spent: 0, held: 0 }, now));
  }

  async #ask<T>(question: () => T | Promise<T>): Promise<T> {
    return this.#gate.ask(question);
  }

  async #unlessDown<T>(work: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const down = error instanceof Error && 'code' in error && error.code === 'ERR_STORE_UNAVAILABLE';
      if (down && this.#options.onStoreDown === 'open') return otherwise;
      throw error;
    }
  }

  async #scopes(ctx: CallContext): Promise<ActiveScope[]> {
    const now = await this.#storeTime();
    return this.#options.scopes.flatMap(({ name, of, cap, per = 'total' }) => {
      const value = of === undefined ? 'all' : of(ctx);
      if (value === undefined) return [];
      const span = periodAt(per, now);
      const keepMs = per === 'total' ? totalKeepMs : span.end - now + graceMs;
      const limit = wholeMicros(typeof cap === 'function' ? cap(ctx) : cap, `scopes.${name}.cap`);
      return [{ key: `${name}:${value}/${span.name}`, cap: limit, keepMs, span }];
    });
  }

  /** The store decides which day it is; its distance to our clock is asked for once a minute. */
  async #storeTime(): Promise<number> {
    const age = this.#clock.monotonic() - this.#clockReadAt;
    if (age >= clockTrustMs) {
      this.#clockOffset = (await this.#ask(() => this.#store.ledger.now())) - this.#clock.now();
      this.#clockReadAt = this.#clock.monotonic();
    }
    return this.#clock.now() + this.#clockOffset;
  }

  #actual(usage: Cost, ctx: CallContext): number {
    const { actual, estimate } = this.#options;
    return Math.max(0, Math.ceil(actual?.(usage, ctx) ?? usage.microUsd ?? estimate(ctx)));
  }

  #refuse(ctx: CallContext, scope: ActiveScope | undefined, state: LedgerState | undefined): BudgetExceededError {
    const { key = 'unknown', cap = 0, span } = scope ?? {};
    const retryAfter = (span?.end ?? Number.POSITIVE_INFINITY) - (this.#clock.now() + this.#clockOffset);
    const error = new BudgetExceededError({
      scope: key,
      cap,
      spent: state?.spent ?? 0,
      held: state?.held ?? 0,
      retryAfter,
    });
    this.#options.instrumentation?.onRefused?.({
      policy: this.#options.name ?? 'budget',
      key: ctx.key,
      tenant: ctx.tenant,
      code: error.code,
      reason: key,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter : undefined,
    });
    return error;
  }

  #report(
    action: 'hold' | 'settle' | 'release',
    amount: number,
    scopes: readonly ActiveScope[],
    states: readonly LedgerState[],
  ): void {
    scopes.forEach(({ key, cap }, i) => {
      const { spent, held } = states[i] ?? { spent: 0, held: 0 };
      this.#options.instrumentation?.onBudget?.({ scope: key, action, amount, spent, held, cap });
      this.#alert(key, spent, cap);
    });
  }

  #alert(scope: string, spent: number, cap: number): void {
    const { alertAt = [0.5, 0.8, 1], onAlert, instrumentation } = this.#options;
    const known = this.#alerted.get(scope) ?? 0;
    const passed = alertAt.filter((threshold) => threshold > known && spent >= threshold * cap);
    if (passed.length === 0) return;
    if (this.#alerted.size >= 10_000) this.#alerted.clear();
    this.#alerted.set(scope, Math.max(...passed));
    for (const threshold of passed) {
      const alert = { scope, threshold, spent, cap };
      onAlert?.(alert);
      instrumentation?.onBudgetAlert?.(alert);
    }
  }
}

function wholeMicros(amount: number, option: string): number {
  const whole = Math.ceil(amount);
  if (Number.isSafeInteger(whole) && whole >= 0) return whole;
  throw new InvalidOptionError(`Expected \`${option}\` to be micro-USD from 0 up, got ${amount}.`);
}

function forecast({ key, cap, span }: ActiveScope, { spent, held }: LedgerState, now: number): BudgetStatus {
  const elapsed = Math.max(1, now - span.start);
  const rate = Number.isFinite(span.end) ? spent / elapsed : 0;
  const left = span.end - now;
  const exhaustedIn = rate > 0 ? Math.max(0, cap - spent) / rate : Number.POSITIVE_INFINITY;
  return {
    scope: key,
    cap,
    spent,
    held,
    forecast: Number.isFinite(left) ? Math.round(spent + rate * left) : spent,
    exhaustedIn: exhaustedIn <= left ? exhaustedIn : Number.POSITIVE_INFINITY,
  };
}
