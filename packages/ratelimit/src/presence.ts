import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { PeerStore } from './store.ts';

const beatEveryMs = 5_000;
const beatTtlMs = 15_000;

/**
 * Counts the processes that use a policy, for the time when the store is down and each has to keep to its part. Presence is reported on the way of
 * ordinary calls; an idle process has no timer and drops out of the count.
 */
export class Presence {
  readonly #clock: Clock;
  readonly #peers: PeerStore | undefined;
  readonly #group: string;
  readonly #id: string = randomUUID();
  #count = 1;
  #beatAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, peers: PeerStore | undefined, group: string) {
    this.#clock = clock;
    this.#peers = peers;
    this.#group = group;
  }

  /** Processes alive, as last seen. */
  get count(): number {
    return this.#count;
  }

  /** Reports presence when it is time to. Never waits, never fails. */
  beat(): void {
    if (this.#peers === undefined) return;
    const now = this.#clock.monotonic();
    if (now - this.#beatAt < beatEveryMs) return;
    this.#beatAt = now;
    void this.#report(this.#peers);
  }

  async #report(peers: PeerStore): Promise<void> {
    try {
      this.#count = Math.max(1, await peers.beat(this.#group, this.#id, beatTtlMs));
    } catch {
      // The last count is the best there is.
    }
  }
}
