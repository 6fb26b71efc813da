import type { Clock } from './clock.ts';
import { MemoryRates } from './memory/rates.ts';
import type { Presence } from './presence.ts';
import type { DebitDecision, DebitRequest, RateTable } from './store.ts';

/** This process's part of the limits while the store is down: the limit divided by the processes that were last seen alive. */
export class FleetShare {
  readonly #presence: Presence;
  readonly #rates: MemoryRates;
  readonly #divided = new WeakMap<RateTable, { readonly by: number; readonly table: RateTable }>();

  constructor(clock: Clock, presence: Presence) {
    this.#presence = presence;
    this.#rates = new MemoryRates(clock);
  }

  /** Decides locally, within this process's share. */
  debit(table: RateTable, request: DebitRequest): DebitDecision {
    const [decision] = this.#rates.debit(this.#divide(table), [request]);
    return decision as DebitDecision;
  }

  #divide(table: RateTable): RateTable {
    const by = this.#presence.count;
    const known = this.#divided.get(table);
    if (known?.by === by) return known.table;
    const limits = table.limits.map((spec) => ({
      ...spec,
      interval: spec.interval * by,
      burst: Math.max(1, Math.floor(spec.burst / by)),
    }));
    const divided = { ...table, id: `${table.id}\n÷${by}`, limits };
    this.#divided.set(table, { by, table: divided });
    return divided;
  }
}
