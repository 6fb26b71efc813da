import type { Clock } from './clock.ts';
import { FairLine, type Waiter } from './fair-line.ts';
import type { CallContext } from './policy.ts';
import type { MaybePromise } from './store.ts';
import { Turn } from './turn.ts';
import type { WaitingLine } from './waiting-line.ts';

/** The right to run, until it is released. */
export interface Permit {
  /** Grows with every grant of the key; guards writes against a holder that lost its permit. 0 for permits of this process only. */
  readonly fence: number;
  /** Aborts when the permit was lost (shared permits whose lease could not be renewed). */
  readonly lost: AbortSignal | undefined;
  /** Gives the permit back; more than once does nothing. */
  release(): void;
}

/** What a semaphore must know about a request. */
export interface PermitDemand {
  readonly ctx: CallContext;
  readonly weight: number;
  /** Milliseconds it may wait. */
  readonly patience: number;
  /** The error when it has waited too long. */
  readonly expired: () => Error;
}

/** One key's permits. */
export interface Semaphore {
  /** Calls that hold a permit in this process. */
  readonly held: number;
  /** Calls that wait in this process. */
  readonly waiting: number;
  acquire(demand: PermitDemand): MaybePromise<Permit>;
}

interface LocalWaiter extends Waiter {
  readonly turn: Turn<Permit>;
}

/** Permits within this process: no polling, O(1) without waiters. */
export class LocalSemaphore implements Semaphore {
  readonly #limit: () => number;
  readonly #clock: Clock;
  readonly #line: WaitingLine;
  readonly #waiters = new FairLine<LocalWaiter>();
  #held = 0;

  /** @param limit - asked at every decision, because adaptive limits move */
  constructor(limit: () => number, clock: Clock, line: WaitingLine) {
    this.#limit = limit;
    this.#clock = clock;
    this.#line = line;
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  acquire(demand: PermitDemand): MaybePromise<Permit> {
    if (this.#held < this.#limit() && this.#waiters.size === 0) return this.#permit();
    if (demand.ctx.aborted) return Promise.reject(demand.ctx.signal.reason);
    return this.#wait(demand);
  }

  #wait({ ctx, weight, patience, expired }: PermitDemand): Promise<Permit> {
    const onGone = (): void => this.#waiters.remove(waiter);
    const options = { ctx, line: this.#line, clock: this.#clock, waitingFor: 'permit', patience, expired, onGone };
    const waiter = { tenant: ctx.tenant ?? '', weight, gone: false, turn: new Turn<Permit>(options) };
    this.#waiters.push(waiter);
    return waiter.turn.promise;
  }

  #permit(): Permit {
    this.#held += 1;
    return new LocalPermit(this.#release);
  }

  readonly #release = (): void => {
    this.#held -= 1;
    while (this.#waiters.size > 0 && this.#held < this.#limit()) this.#waiters.shift()?.turn.take(this.#permit());
  };
}

class LocalPermit implements Permit {
  readonly fence = 0;
  readonly lost: undefined;
  #onRelease: (() => void) | undefined;

  constructor(onRelease: () => void) {
    this.#onRelease = onRelease;
  }

  release(): void {
    const onRelease = this.#onRelease;
    this.#onRelease = undefined;
    onRelease?.();
  }
}
