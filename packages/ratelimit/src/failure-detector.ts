import { EventEmitter } from 'node:events';
import Opossum from 'opossum';
import type { Clock } from './clock.ts';

/** When a key counts as failing. */
export interface DetectorOptions {
  /** Share of failures above which it fails, 0 to 1. */
  readonly failureRatio: number;
  /** Calls within the window before the share counts. */
  readonly minCalls: number;
  /** Failures in a row that suffice. */
  readonly consecutiveFailures: number;
  readonly windowMs: number;
  readonly clock: Clock;
}

const buckets = 10;
const failure = new Error('failed call');

/**
 * opossum's rolling window for one key that has failures. opossum would rotate its window by a timer per breaker;
 * here the rotation is caught up with when a call comes, so a key costs nothing while nobody calls.
 */
export class FailureDetector {
  readonly #options: DetectorOptions;
  readonly #rotation = new EventEmitter();
  readonly #breaker: Opossum<[boolean], void>;
  #rotatedAt: number;

  /** @param successes - successful calls of the window before the first failure */
  constructor(options: DetectorOptions, successes: number) {
    this.#options = options;
    this.#rotatedAt = options.clock.monotonic();
    const settings = {
      timeout: false as const,
      errorThresholdPercentage: options.failureRatio * 100,
      volumeThreshold: options.minCalls,
      rollingCountTimeout: options.windowMs,
      rollingCountBuckets: buckets,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      rotateBucketController: this.#rotation,
    };
    const stats = { fires: successes, successes } as Opossum.Stats;
    const status = Opossum.newStatus({ ...settings, stats } as Opossum.StatusOptions);
    const action = async (ok: boolean): Promise<void> => {
      if (!ok) throw failure;
    };
    this.#breaker = new Opossum(action, { ...settings, status } as Opossum.Options<[boolean]>);
  }

  /** Books one call. True when the key fails now. */
  async record(ok: boolean): Promise<boolean> {
    this.#rotate();
    await this.#breaker.fire(ok).catch(() => {});
    return this.#breaker.opened;
  }

  /** No failure is left in the window. */
  isQuiet(): boolean {
    this.#rotate();
    return this.#breaker.stats.failures === 0;
  }

  dispose(): void {
    this.#breaker.shutdown();
  }

  #rotate(): void {
    const { clock, windowMs } = this.#options;
    const due = Math.floor((clock.monotonic() - this.#rotatedAt) / (windowMs / buckets));
    if (due <= 0) return;
    this.#rotatedAt += due * (windowMs / buckets);
    for (let i = 0; i < Math.min(due, buckets); i++) this.#rotation.emit('rotate');
  }
}
