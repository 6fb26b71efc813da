import type { Clock } from './clock.ts';
import type { CallContext } from './policy.ts';
import type { Place, WaitingLine } from './waiting-line.ts';

/** What a {@link Turn} needs. */
export interface TurnOptions {
  readonly ctx: CallContext;
  readonly line: WaitingLine;
  readonly clock: Clock;
  /** What is waited for, as the line shows it. */
  readonly waitingFor: string;
  /** Milliseconds after which the wait ends with the error of `expired`. */
  readonly patience: number;
  readonly expired: () => Error;
  /** Called when the waiter leaves without its turn, aborted or out of patience. */
  readonly onGone: () => void;
}

/** A wait that ends exactly once: by its turn, by the caller's abort, or by the end of its patience. Nothing is left behind. */
export class Turn<T> {
  readonly promise: Promise<T>;
  readonly #options: TurnOptions;
  readonly #place: Place;
  readonly #timer: unknown;
  /** A caller who cannot abort is not listened to. */
  readonly #onAbort: (() => void) | undefined;
  #resolve: (value: T | Promise<T>) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(options: TurnOptions) {
    const { ctx, line, clock, waitingFor, patience } = options;
    this.#options = options;
    this.#place = line.enter(ctx, waitingFor, undefined);
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = clock.setTimeout(() => this.#give(options.expired()), Math.max(0, patience));
    if (!ctx.abortable) return;
    const onAbort = (): void => this.#give(ctx.signal.reason);
    this.#onAbort = onAbort;
    ctx.signal.addEventListener('abort', onAbort, { once: true });
  }

  /** Its turn has come. */
  take(value: T | Promise<T>): void {
    this.#leave();
    this.#resolve(value);
  }

  #give(error: unknown): void {
    this.#leave();
    this.#options.onGone();
    this.#reject(error);
  }

  #leave(): void {
    const { ctx, line, clock } = this.#options;
    line.leave(this.#place);
    clock.clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) ctx.signal.removeEventListener('abort', this.#onAbort);
  }
}
