import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { Limit } from './limit-table.ts';
import type { CallContext, Cost } from './policy.ts';
import type { Ticket } from './rate-limit.ts';
import type { DebitDecision, RateStore, RateTable } from './store.ts';

/** What a {@link Slot} is made of. */
export interface SlotParts {
  readonly policy: string;
  readonly rates: RateStore;
  readonly limits: readonly Limit[];
  readonly table: RateTable;
  readonly cost: readonly number[];
  readonly decision: DebitDecision;
  readonly ctx: CallContext;
  /** Units reserved by calls of this process that have not ended, per limit of the table. */
  readonly inFlight: Float64Array;
}

/** A debit with what is needed to correct it. It is corrected once at most, by settling or by releasing. */
export class Slot implements Ticket {
  instrumentation: RateLimitInstrumentation | undefined;
  readonly #parts: SlotParts;
  #corrected = false;
  #running = false;

  constructor(parts: SlotParts) {
    this.#parts = parts;
  }

  get waited(): number {
    return this.#parts.decision.wait;
  }

  /** Bound, because it is handed to the call's context. */
  readonly settle = (usage: Cost): void => {
    if (this.#corrected) return;
    this.#corrected = true;
    this.forget();
    const { limits, cost, ctx, policy } = this.#parts;
    const delta = limits.map(({ dimension, estimate }, i) => {
      const actual = usage[dimension];
      if (actual === undefined) return 0;
      estimate?.learn(ctx, actual);
      return Math.ceil(actual) - (cost[i] ?? 0);
    });
    this.#adjust(delta);
    if (this.instrumentation?.onSettled === undefined) return;
    const reserved = Object.fromEntries(limits.map(({ dimension }, i) => [dimension, cost[i] ?? 0]));
    this.instrumentation.onSettled({ policy, key: ctx.key, model: ctx.model, reserved, actual: usage });
  };

  release(): void {
    if (this.#corrected) return;
    this.#corrected = true;
    this.forget();
    this.#adjust(this.#parts.cost.map((units) => -units));
  }

  /** The wait is over, the call is made. */
  begin(): void {
    this.#running = true;
    this.#count(1);
  }

  forget(): void {
    if (!this.#running) return;
    this.#running = false;
    this.#count(-1);
  }

  /** Only what is settled later counts as in flight: the provider has not seen it yet. */
  #count(direction: 1 | -1): void {
    const { limits, cost, ctx, inFlight } = this.#parts;
    limits.forEach(({ estimate }, i) => {
      if (estimate === undefined) return;
      if (direction === 1) estimate.begin(ctx);
      else estimate.finish(ctx);
      inFlight[i] = (inFlight[i] ?? 0) + direction * (cost[i] ?? 0);
    });
  }

  #adjust(delta: readonly number[]): void {
    if (delta.every((units) => units === 0)) return;
    const { rates, table, decision } = this.#parts;
    const done = rates.adjust(table, [{ delta, at: decision.at, share: decision.share }]);
    // A correction that is lost with the store errs on the safe side: the reservation stays booked.
    if (done instanceof Promise) done.catch(() => {});
  }
}
