import type { Clock } from '../clock.ts';

/** Longest pause: the window of GitHub's primary limit, after which everything has started anew. */
const longestMs = 3_600_000;

/**
 * The pauses of one account whose provider does not say how long to wait: each refusal after a pause doubles the next one.
 * Every process counts for itself; the longest pause holds for all of them, because the account's pause is shared.
 */
export class GrowingPause {
  readonly #clock: Clock;
  #lastMs = 0;
  #until = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds to pause after a refusal, at least `leastMs`. Calls that were on their way when the pause began do not double it. */
  refused(leastMs: number): number {
    const now = this.#clock.monotonic();
    const fresh = now >= this.#until;
    if (fresh) this.#lastMs = Math.min(longestMs, Math.max(leastMs, this.#lastMs * 2));
    const pauseMs = fresh ? this.#lastMs : Math.max(leastMs, this.#until - now);
    this.#until = now + pauseMs;
    return pauseMs;
  }

  /** A call came through; during a pause it was sent before it, and says nothing. */
  succeeded(): void {
    if (this.#clock.monotonic() >= this.#until) this.#lastMs = 0;
  }
}
