import type { Clock } from '../clock.ts';
import { withTimeout } from '../timeout.ts';

/** Reads gauges just before they are shown. */
export type Collector = (signal: AbortSignal) => void | Promise<void>;

/** Milliseconds for which one reading serves all scrapes: two scrapers are not twice the load on the store. */
const maxAge = 1_000;

/** Functions that run before a scrape: all at once, each bounded in time, one run for any number of scrapes at a time. */
export class Collectors {
  readonly #clock: Clock;
  readonly #timeout: number;
  readonly #collectors = new Map<string, Collector>();
  #running: Promise<void> | undefined;
  #finishedAt = Number.NEGATIVE_INFINITY;
  /** Told of a collector that failed or took too long; its gauges keep their last value. */
  onError: (name: string, error: unknown) => void = () => {};

  constructor(clock: Clock, timeout: number) {
    this.#clock = clock;
    this.#timeout = timeout;
  }

  /** Adds a collector and answers the function that removes it. */
  add(name: string, collector: Collector): () => void {
    this.#collectors.set(name, collector);
    return () => {
      if (this.#collectors.get(name) === collector) this.#collectors.delete(name);
    };
  }

  /** Runs the collectors, unless they are running or have just run. Never rejects. */
  run(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    if (this.#clock.monotonic() - this.#finishedAt < maxAge) return Promise.resolve();
    this.#running = this.#runAll().finally(() => {
      this.#running = undefined;
      this.#finishedAt = this.#clock.monotonic();
    });
    return this.#running;
  }

  async #runAll(): Promise<void> {
    const all = [...this.#collectors].map(async ([name, collector]) => {
      try {
        await withTimeout(this.#clock, this.#timeout, `collector ${name}`, async (signal) => collector(signal));
      } catch (error) {
        this.onError(name, error);
      }
    });
    await Promise.all(all);
  }
}
