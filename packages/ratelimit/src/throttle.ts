import type { Clock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import type { RateLimitInstrumentation } from './instrumentation.ts';
import type { RateStore, RateTable } from './store.ts';

/**
 * Additive increase, multiplicative decrease of the rate: finds the part of a quota that others leave.
 * (Chiu and Jain 1989; the scheme of TCP.)
 */
export interface AdaptiveOptions {
  /** The rate after a 429, as a share of the rate before. @default 0.85 */
  readonly decrease?: number;
  /** Share of the configured rate that is regained per second. @default 1/3000, that is 1 % in 30 s */
  readonly recovery?: number;
  /** Lowest share of the configured rate. @default 0.1 */
  readonly floor?: number;
  /** 429s within this time count as one. @default '1s' */
  readonly cooldown?: Duration;
}

/** Options of a {@link Throttle}. */
export interface ThrottleOptions {
  readonly rates: RateStore;
  readonly clock: Clock;
  readonly policy: string;
  readonly adaptive: AdaptiveOptions | boolean | undefined;
  readonly instrumentation: RateLimitInstrumentation | undefined;
}

/** One 429 stops the account for every process, and slows the learned rate. */
export class Throttle {
  /** {@link RateTable.recovery} of the tables. */
  readonly recovery: number;
  readonly #options: ThrottleOptions;
  readonly #decrease: number;
  readonly #floor: number;
  readonly #cooldownMs: number;
  /** Pauses this process knows of, by account, in monotonic milliseconds: sleepers look here before they go. */
  readonly #pauses = new Map<string, number>();

  constructor(options: ThrottleOptions) {
    this.#options = options;
    const adaptive = options.adaptive === true ? {} : options.adaptive || undefined;
    this.#decrease = adaptive === undefined ? 1 : (adaptive.decrease ?? 0.85);
    this.#floor = adaptive?.floor ?? 0.1;
    this.#cooldownMs = toMilliseconds(adaptive?.cooldown ?? '1s', 'adaptive.cooldown');
    this.recovery = adaptive === undefined ? 0 : (adaptive.recovery ?? 1 / 3_000);
  }

  /** A provider said "slow down" for `pauseMs`, or (`slower` false) that nothing is left for that long. */
  async hit(table: RateTable, pauseMs: number, slower = true): Promise<void> {
    this.learnPause(table, pauseMs);
    const { rates, policy, instrumentation } = this.#options;
    try {
      const state = await rates.pause(table, {
        forMs: pauseMs,
        decrease: slower ? this.#decrease : 1,
        floor: this.#floor,
        cooldownMs: this.#cooldownMs,
      });
      if (slower) instrumentation?.onThrottled?.({ policy, key: table.account, pauseMs, rateFactor: state.factor });
    } catch {
      // The store is down: this process still pauses.
    }
  }

  learnPause({ account }: RateTable, pausedFor: number): void {
    const until = this.#options.clock.monotonic() + pausedFor;
    if (until > (this.#pauses.get(account) ?? 0)) this.#pauses.set(account, until);
  }

  isPaused({ account }: RateTable): boolean {
    const until = this.#pauses.get(account);
    if (until === undefined) return false;
    if (until > this.#options.clock.monotonic()) return true;
    this.#pauses.delete(account);
    return false;
  }
}
