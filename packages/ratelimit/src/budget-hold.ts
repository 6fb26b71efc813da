import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';

/** What a {@link BudgetHold} needs of its budget. */
export interface BudgetHoldOptions {
  /** Micro-USD held. */
  readonly amount: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly extend: (id: string) => Promise<unknown>;
  readonly settle: (id: string, actual: number) => Promise<void>;
}

/** Money held for a call. Settle it with what the call did cost; left unsettled (`await using`) it is given back. */
export class BudgetHold implements AsyncDisposable {
  /** Unique name of the hold. */
  readonly id: string = randomUUID();
  readonly #options: BudgetHoldOptions;
  #active = false;
  #timer: unknown;

  constructor(options: BudgetHoldOptions) {
    this.#options = options;
  }

  /** Micro-USD held. */
  get amount(): number {
    return this.#options.amount;
  }

  /** Keeps the hold alive for as long as this process lives. */
  start(): void {
    this.#active = true;
    this.#renewLater();
  }

  /** Books what the call did cost, in micro-USD, and frees the rest. Only the first call counts. */
  async settle(actual: number): Promise<void> {
    if (!this.#active) return;
    this.#active = false;
    this.#options.clock.clearTimeout(this.#timer);
    await this.#options.settle(this.id, actual);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settle(0);
  }

  #renewLater(): void {
    const { clock, extend, leaseMs } = this.#options;
    this.#timer = clock.setTimeout(() => {
      // A failed extension is tried again in time for the next one; a hold that ran out is still booked when settled.
      void extend(this.id)
        .catch(() => {})
        .finally(() => {
          if (this.#active) this.#renewLater();
        });
    }, leaseMs / 3);
  }
}
