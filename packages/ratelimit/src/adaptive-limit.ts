/** Options of adaptive concurrency. */
export interface AdaptiveConcurrencyOptions {
  /** Fewest permits. @default 1 */
  readonly min?: number;
  /** Most permits. @default the bulkhead's limit */
  readonly max?: number;
  /** Slowdown that is tolerated before the limit falls. @default 1.5 */
  readonly tolerance?: number;
  /** Weight of a new limit against the old one. @default 0.2 */
  readonly smoothing?: number;
}

/** Samples over which the long-term latency is taken. */
const longWindow = 600;

/**
 * Finds the concurrency that the other side bears, from latency alone: Gradient2 of Netflix's concurrency-limits
 * (https://github.com/Netflix/concurrency-limits). Feed it a latency that does not depend on the size of the answer,
 * for language models the time to the first token.
 */
export class AdaptiveLimit {
  readonly #min: number;
  readonly #max: number;
  readonly #tolerance: number;
  readonly #smoothing: number;
  #limit: number;
  #long = 0;
  #samples = 0;

  constructor(limit: number, options: AdaptiveConcurrencyOptions) {
    this.#limit = limit;
    this.#min = options.min ?? 1;
    this.#max = options.max ?? limit;
    this.#tolerance = options.tolerance ?? 1.5;
    this.#smoothing = options.smoothing ?? 0.2;
  }

  get current(): number {
    return Math.max(this.#min, Math.floor(this.#limit));
  }

  /** One finished call: its latency in milliseconds, and how many ran beside it. */
  sample(latency: number, inFlight: number): void {
    this.#samples += 1;
    this.#long += (latency - this.#long) / Math.min(this.#samples, longWindow);
    // Recovering from a slow time, the long-term latency must fall faster than its window.
    if (this.#long > 2 * latency) this.#long *= 0.95;
    if (inFlight < this.#limit / 2) return;
    const gradient = Math.max(0.5, Math.min(1, (this.#tolerance * this.#long) / latency));
    const wanted = this.#limit * gradient + 4;
    const next = this.#limit * (1 - this.#smoothing) + wanted * this.#smoothing;
    this.#limit = Math.min(this.#max, Math.max(this.#min, next));
  }
}
