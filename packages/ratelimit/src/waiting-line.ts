import type { Clock } from './clock.ts';
import type { CallContext } from './policy.ts';

/** A call that waits, as a person wants to see it. */
export interface WaitingCall {
  readonly key: string;
  readonly tenant: string | undefined;
  readonly run: string | undefined;
  /** What it waits for: the name of a limit, `pause` after a 429, or `permit`. */
  readonly waitingFor: string;
  /** 1 is next (within this process). */
  readonly position: number;
  /** Milliseconds it has waited. */
  readonly waited: number;
  /** Milliseconds until its turn; undefined where that depends on others finishing. */
  readonly eta: number | undefined;
}

/** A place in the line. */
export interface Place {
  readonly ctx: Pick<CallContext, 'key' | 'tenant' | 'run'>;
  readonly waitingFor: string;
  readonly since: number;
  readonly until: number | undefined;
}

/** Who waits in this process, for what, until when. */
export class WaitingLine {
  readonly #clock: Clock;
  readonly #places = new Set<Place>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#places.size;
  }

  enter(ctx: Place['ctx'], waitingFor: string, eta: number | undefined): Place {
    const since = this.#clock.monotonic();
    const place = { ctx, waitingFor, since, until: eta === undefined ? undefined : since + eta };
    this.#places.add(place);
    return place;
  }

  leave(place: Place): void {
    this.#places.delete(place);
  }

  list(): WaitingCall[] {
    const now = this.#clock.monotonic();
    const places = [...this.#places].sort((a, b) => (a.until ?? 0) - (b.until ?? 0) || a.since - b.since);
    return places.map(({ ctx, waitingFor, since, until }, i) => ({
      key: ctx.key,
      tenant: ctx.tenant,
      run: ctx.run,
      waitingFor,
      position: i + 1,
      waited: now - since,
      eta: until === undefined ? undefined : Math.max(0, until - now),
    }));
  }
}
