/** Somebody who waits in a {@link FairLine}. */
export interface Waiter {
  readonly tenant: string;
  readonly weight: number;
  /** Left out when its turn comes: it gave up. */
  gone: boolean;
}

interface Queue<T> {
  readonly items: T[];
  /** Items before this index are served; compacted when they are the larger half. */
  head: number;
  /** Virtual time at which the tenant's next item has its turn. */
  tag: number;
}

/**
 * A line shared by tenants in proportion to their weights, first come first served within each:
 * start-time fair queuing (Goyal, Vin, Cheng 1996). Costs O(tenants waiting) per turn.
 */
export class FairLine<T extends Waiter> {
  readonly #queues = new Map<string, Queue<T>>();
  #virtualTime = 0;
  #size = 0;

  /** Those who wait and have not gone. */
  get size(): number {
    return this.#size;
  }

  push(waiter: T): void {
    const queue = this.#queues.get(waiter.tenant) ?? { items: [], head: 0, tag: this.#virtualTime };
    this.#queues.set(waiter.tenant, queue);
    queue.items.push(waiter);
    this.#size += 1;
  }

  /** Removes one that gave up. */
  remove(waiter: T): void {
    if (waiter.gone) return;
    waiter.gone = true;
    this.#size -= 1;
  }

  /** Whose turn it is. */
  shift(): T | undefined {
    for (;;) {
      const [tenant, queue] = this.#next() ?? [];
      if (tenant === undefined || queue === undefined) return undefined;
      const waiter = queue.items[queue.head] as T;
      this.#advance(tenant, queue, waiter);
      if (waiter.gone) continue;
      waiter.gone = true;
      this.#size -= 1;
      return waiter;
    }
  }

  #next(): [string, Queue<T>] | undefined {
    let best: [string, Queue<T>] | undefined;
    for (const entry of this.#queues) if (best === undefined || entry[1].tag < best[1].tag) best = entry;
    return best;
  }

  #advance(tenant: string, queue: Queue<T>, waiter: T): void {
    queue.head += 1;
    if (!waiter.gone) {
      this.#virtualTime = Math.max(this.#virtualTime, queue.tag);
      queue.tag += 1 / waiter.weight;
    }
    if (queue.head === queue.items.length) this.#queues.delete(tenant);
    else if (queue.head > 64 && queue.head * 2 > queue.items.length) {
      queue.items.splice(0, queue.head);
      queue.head = 0;
    }
  }
}
