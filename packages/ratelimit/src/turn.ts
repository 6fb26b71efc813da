import type { Clock } from './clock.ts';
import type { CallContext } from './policy.ts';
import type { WaitingLine } from './waiting-line.ts';

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
  /** Its turn has come. */
  readonly take: (value: T | Promise<T>) => void;

  constructor({ ctx, line, clock, waitingFor, patience, expired, onGone }: TurnOptions) {
    const signal = ctx.abortable ? ctx.signal : undefined;
    const place = line.enter(ctx, waitingFor, undefined);
    let resolve: (value: T | Promise<T>) => void = () => {};
    let reject: (error: unknown) => void = () => {};
    this.promise = new Promise((ok, failed) => {
      resolve = ok;
      reject = failed;
    });
    const leave = (): void => {
      line.leave(place);
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const give = (error: unknown): void => {
      leave();
      onGone();
      reject(error);
    };
    const onAbort = (): void => give(signal?.reason);
    const timer = clock.setTimeout(() => give(expired()), Math.max(0, patience));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.take = (value) => {
      leave();
      resolve(value);
    };
  }
}
