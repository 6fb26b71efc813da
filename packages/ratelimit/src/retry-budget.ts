import { type Clock, systemClock } from './clock.ts';

/** Options of a {@link RetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries per call, in the long run: 0.2 adds at most 20 % to the load. @default 0.2 */
  readonly ratio?: number;
  /** Retries per second that are allowed however few calls there are. @default 10 */
  readonly minPerSecond?: number;
  /** Seconds over which unused allowance is kept. @default 10 */
  readonly seconds?: number;
}

/**
 * Bounds retries to a share of all calls, so that an outage is not multiplied by its own retries.
 * The scheme and its defaults are those of Finagle: https://finagle.github.io/blog/2016/02/08/retry-budgets/
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #minPerSecond: number;
  readonly #seconds: number;
  readonly #clock: Clock;
  #earned = 0;
  #reserve: number;
  #seenAt: number;

  constructor(options: RetryBudgetOptions = {}, clock: Clock = systemClock) {
    this.#ratio = options.ratio ?? 0.2;
    this.#minPerSecond = options.minPerSecond ?? 10;
    this.#seconds = options.seconds ?? 10;
    this.#clock = clock;
    this.#reserve = this.#minPerSecond;
    this.#seenAt = clock.monotonic();
  }

  /** Every call (not every attempt) earns a share of a retry. */
  deposit(): void {
    this.#pass();
    this.#earned += this.#ratio;
  }

  /** Takes one retry if the budget allows it. */
  withdraw(): boolean {
    this.#pass();
    if (this.#reserve >= 1) this.#reserve -= 1;
    else if (this.#earned >= 1) this.#earned -= 1;
    else return false;
    return true;
  }

  #pass(): void {
    const now = this.#clock.monotonic();
    const seconds = (now - this.#seenAt) / 1000;
    if (seconds <= 0) return;
    this.#seenAt = now;
    this.#earned *= Math.exp(-seconds / this.#seconds);
    this.#reserve = Math.min(this.#minPerSecond, this.#reserve + seconds * this.#minPerSecond);
  }
}
