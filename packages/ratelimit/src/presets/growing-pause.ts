import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { CacheStore } from '../store.ts';
import type { StoreGate } from '../store-gate.ts';

/** Longest pause: the window of GitHub's primary limit, after which everything has started anew. */
const longestMs = 3_600_000;

/** Options of a {@link GrowingPause}. */
export interface GrowingPauseOptions {
  readonly clock: Clock;
  /** Where the last pause is kept for the fleet. */
  readonly cache: CacheStore;
  readonly gate: StoreGate;
  readonly account: string;
}

/**
 * The pauses of one account whose provider does not say how long to wait: each refusal after a pause doubles the next one, whichever process met it.
 * The process that begins a pause holds its lock for as long, so that a refusal counts once for the fleet. The last pause is forgotten when a
 * process that was refused has succeeded, or when as long again has passed. With the store down, this process counts for itself.
 */
export class GrowingPause {
  readonly #options: GrowingPauseOptions;
  readonly #name: string;
  #lastMs = 0;
  #until = 0;

  constructor(options: GrowingPauseOptions) {
    this.#options = options;
    this.#name = `growing-pause/${options.account}`;
  }

  /** Milliseconds to pause after a refusal, at least `leastMs`. Calls that were on their way when the pause began do not double it. */
  async refused(leastMs: number): Promise<number> {
    const lastMs = await this.#last();
    const { clock } = this.#options;
    const left = this.#until - clock.monotonic();
    if (left > 0) return Math.max(leastMs, left);
    const pauseMs = Math.min(longestMs, Math.max(leastMs, lastMs * 2));
    this.#lastMs = pauseMs;
    this.#until = clock.monotonic() + pauseMs;
    return (await this.#begin(pauseMs)) ? pauseMs : leastMs;
  }

  /** A call came through; during a pause it was sent before it, and says nothing. */
  succeeded(): void {
    if (this.#lastMs === 0 || this.#options.clock.monotonic() < this.#until) return;
    this.#lastMs = 0;
    void this.#ask((cache) => cache.delete(this.#name), undefined);
  }

  #last(): Promise<number> {
    return this.#ask(
      async (cache) => Number(new TextDecoder().decode((await cache.get(this.#name)) ?? new Uint8Array())),
      this.#lastMs,
    );
  }

  /** False when another process has begun this pause: it is as long as that one said, which the account knows. */
  #begin(pauseMs: number): Promise<boolean> {
    return this.#ask(async (cache) => {
      if (!(await cache.lock(this.#name, randomUUID(), pauseMs))) return false;
      await cache.set(this.#name, new TextEncoder().encode(String(pauseMs)), pauseMs * 2);
      return true;
    }, true);
  }

  async #ask<T>(question: (cache: CacheStore) => T | Promise<T>, otherwise: T): Promise<T> {
    try {
      return await this.#options.gate.ask(() => question(this.#options.cache));
    } catch {
      return otherwise;
    }
  }
}
