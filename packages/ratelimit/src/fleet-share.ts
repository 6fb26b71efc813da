import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { MemoryRates } from './memory/rates.ts';
import type { DebitDecision, DebitRequest, PeerStore, RateTable } from './store.ts';

const beatEveryMs = 5_000;
const beatTtlMs = 15_000;

/**
 * This process's part of the limits while the store is down: the limit divided by the processes that were last seen alive.
 * Presence is reported on the way of ordinary calls; an idle process has no timer and drops out of the count.
 */
export class FleetShare {
  readonly #clock: Clock;
  readonly #peers: PeerStore | undefined;
  readonly #group: string;
  readonly #id: string = randomUUID();
  readonly #rates: MemoryRates;
  readonly #divided = new WeakMap<RateTable, { readonly by: number; readonly table: RateTable }>();
  #count = 1;
  #beatAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, peers: PeerStore | undefined, group: string) {
    this.#clock = clock;
    this.#peers = peers;
    this.#group = group;
    this.#rates = new MemoryRates(clock);
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

  /** Decides locally, within this process's share. */
  debit(table: RateTable, request: DebitRequest): DebitDecision {
    const [decision] = this.#rates.debit(this.#divide(table), [request]);
    return decision as DebitDecision;
  }

  #divide(table: RateTable): RateTable {
    const known = this.#divided.get(table);
    if (known?.by === this.#count) return known.table;
    const limits = table.limits.map((spec) => ({
      ...spec,
      interval: spec.interval * this.#count,
      burst: Math.max(1, Math.floor(spec.burst / this.#count)),
    }));
    const divided = { ...table, id: `${table.id}\n÷${this.#count}`, limits };
    this.#divided.set(table, { by: this.#count, table: divided });
    return divided;
  }
}
