import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { CallTable, Limit } from './limit-table.ts';
import type { CallContext, Cost } from './policy.ts';
import type { Ticket } from './rate-limit.ts';
import type { DebitDecision, RateStore } from './store.ts';

/** What all slots of a limiter have in common. */
export interface SlotOwner {
  readonly policy: string;
  readonly rates: RateStore;
  readonly limits: readonly Limit[];
  /** Some limit has an estimate. */
  readonly learns: boolean;
  readonly instrumentation: RateLimitInstrumentation | undefined;
}

/** A debit with what is needed to correct it. It is corrected once at most, by settling or by releasing. */
export class Slot implements Ticket {
  readonly #owner: SlotOwner;
  readonly #table: CallTable;
  readonly #cost: readonly number[];
  readonly #decision: DebitDecision;
  readonly #ctx: CallContext;
  #corrected = false;
  #running = false;

  constructor(owner: SlotOwner, table: CallTable, cost: readonly number[], decision: DebitDecision, ctx: CallContext) {
    this.#owner = owner;
    this.#table = table;
    this.#cost = cost;
    this.#decision = decision;
    this.#ctx = ctx;
  }

  get waited(): number {
    return this.#decision.wait;
  }

  settle(usage: Cost): void {
    if (this.#corrected) return;
    this.#corrected = true;
    this.forget();
    const { limits, policy, instrumentation } = this.#owner;
    const delta = limits.map(({ dimension, estimate }, i) => {
      const actual = usage[dimension];
      if (actual === undefined) return 0;
      estimate?.learn(this.#ctx, actual);
      return Math.ceil(actual) - (this.#cost[i] ?? 0);
    });
    this.#adjust(delta);
    if (instrumentation?.onSettled === undefined) return;
    const reserved = Object.fromEntries(limits.map(({ dimension }, i) => [dimension, this.#cost[i] ?? 0]));
    instrumentation.onSettled({ policy, key: this.#ctx.key, model: this.#ctx.model, reserved, actual: usage });
  }

  release(): void {
    if (this.#corrected) return;
    this.#corrected = true;
    this.forget();
    this.#adjust(this.#cost.map((units) => -units));
  }

  /** The wait is over, the call is made. */
  begin(): void {
    this.#running = true;
    if (this.#owner.learns) this.#count(1);
  }

  forget(): void {
    if (!this.#running) return;
    this.#running = false;
    if (this.#owner.learns) this.#count(-1);
  }

  /** Only what is settled later counts as in flight: the provider has not seen it yet. */
  #count(direction: 1 | -1): void {
    const { inFlight } = this.#table;
    this.#owner.limits.forEach(({ estimate }, i) => {
      if (estimate === undefined) return;
      if (direction === 1) estimate.begin(this.#ctx);
      else estimate.finish(this.#ctx);
      inFlight[i] = (inFlight[i] ?? 0) + direction * (this.#cost[i] ?? 0);
    });
  }

  #adjust(delta: readonly number[]): void {
    if (delta.every((units) => units === 0)) return;
    const { at, share } = this.#decision;
    const done = this.#owner.rates.adjust(this.#table, [{ delta, at, share }]);
    // A correction that is lost with the store errs on the safe side: the reservation stays booked.
    if (done instanceof Promise) done.catch(() => {});
  }
}
