import type { Clock } from './clock.ts';
import { StoreUnavailableError } from './errors.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { MaybePromise } from './store.ts';

/** What a policy does while its store is down. */
export type OnStoreDown = 'open' | 'closed' | 'share';

/** Options of a {@link StoreGate}. */
export interface StoreGateOptions {
  /** Name of the store, for events. */
  readonly store: string;
  /** Milliseconds after which an unanswered question counts as "down". */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly instrumentation: RateLimitInstrumentation | undefined;
}

interface Question {
  readonly askedAt: number;
  readonly reject: (error: unknown) => void;
}

/** Milliseconds between two tries while the store is down; everybody else is answered at once. */
const retryMs = 500;

/** Reads an answer as it is. */
export const identity = <T>(value: T): T => value;

/** Asks a store with a bound on time: a store that hangs is down, and a store that is down is not waited for by every call. */
export class StoreGate {
  readonly #options: StoreGateOptions;
  #down = false;
  #tryAt = 0;
  /** Unanswered and in time, the oldest first. */
  readonly #open = new Set<Question>();
  #timer: unknown;

  constructor(options: StoreGateOptions) {
    this.#options = options;
  }

  /**
   * @param onLate - gets an answer that came after its time, to undo what it did
   * @throws StoreUnavailableError (rejects) when the store failed or did not answer in time
   */
  ask<T>(question: () => MaybePromise<T>, onLate?: (value: T) => void): MaybePromise<T> {
    return this.askFor(question, onLate, identity);
  }

  /** {@link StoreGate.ask} for what `read` makes of the answer, which costs a promise less than doing so afterwards. */
  askFor<T, R>(
    question: () => MaybePromise<T>,
    onLate: ((value: T) => void) | undefined,
    read: (value: T) => R,
  ): MaybePromise<R> {
    const { clock } = this.#options;
    if (this.#down) {
      const now = clock.monotonic();
      if (now < this.#tryAt) return Promise.reject(new StoreUnavailableError(this.#tryAt - now));
      this.#tryAt = now + retryMs;
    }
    let answer: MaybePromise<T>;
    try {
      answer = question();
    } catch (error) {
      return Promise.reject(this.#fail(error));
    }
    return answer instanceof Promise ? this.#bound(answer, onLate, read) : read(answer);
  }

  #bound<T, R>(answer: Promise<T>, onLate: ((value: T) => void) | undefined, read: (value: T) => R): Promise<R> {
    return new Promise((resolve, reject) => {
      const question = { askedAt: this.#options.clock.monotonic(), reject };
      this.#watch(question);
      answer.then(
        (value) => {
          const isInTime = this.#open.delete(question);
          this.#recover();
          if (isInTime) resolve(read(value));
          else onLate?.(value);
        },
        (error: unknown) => {
          if (this.#open.delete(question)) reject(this.#fail(error));
        },
      );
    });
  }

  /** All questions wait equally long, so the oldest is due first and one timer serves them all. */
  #watch(question: Question): void {
    this.#open.add(question);
    if (this.#timer === undefined) this.#arm(question);
  }

  #arm({ askedAt }: Question): void {
    const { clock, timeoutMs } = this.#options;
    const due = Math.max(0, askedAt + timeoutMs - clock.monotonic());
    // A busy event loop fires the timer before it reads the answers that are already there: look once more.
    this.#timer = clock.setTimeout(() => setImmediate(() => setImmediate(this.#expire)), due);
  }

  readonly #expire = (): void => {
    const { clock, timeoutMs } = this.#options;
    const now = clock.monotonic();
    this.#timer = undefined;
    for (const question of this.#open) {
      if (question.askedAt + timeoutMs > now) return void this.#arm(question);
      this.#open.delete(question);
      question.reject(this.#fail(new Error(`no answer within ${timeoutMs} ms`)));
    }
  };

  #fail(error: unknown): StoreUnavailableError {
    const { clock, store, instrumentation } = this.#options;
    if (!this.#down) instrumentation?.onStore?.({ store, available: false, error });
    this.#down = true;
    this.#tryAt = clock.monotonic() + retryMs;
    return new StoreUnavailableError(retryMs, { cause: error });
  }

  #recover(): void {
    if (!this.#down) return;
    this.#down = false;
    const { store, instrumentation } = this.#options;
    instrumentation?.onStore?.({ store, available: true, error: undefined });
  }
}
