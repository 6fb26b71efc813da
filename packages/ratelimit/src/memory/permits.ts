import type { Clock } from '../clock.ts';
import type { PermitAnswer, PermitExchange, PermitRequest, PermitStore } from '../store.ts';

interface Waiter {
  readonly id: string;
  /** Start tag of start-time fair queuing: the virtual time at which this request's turn comes. */
  readonly tag: number;
  readonly order: number;
  expires: number;
}

/** State of one semaphore. */
export interface Semaphore {
  readonly holders: Map<string, { fence: number; expires: number }>;
  readonly waiters: Map<string, Waiter>;
  /** Virtual finish time of each tenant's latest request. */
  readonly finish: Map<string, number>;
  virtualTime: number;
  fence: number;
  order: number;
}

/**
 * Semaphores with leases in this process. The line is fair between tenants by start-time fair queuing
 * (Goyal, Vin, Cheng 1996): a request's tag grows by 1/weight behind its tenant's previous one.
 */
export class MemoryPermits implements PermitStore {
  readonly #clock: Clock;
  readonly #semaphores: Map<string, Semaphore>;

  /** @param semaphores - where the state lies; another store may bring its own for one operation */
  constructor(clock: Clock, semaphores: Map<string, Semaphore> = new Map()) {
    this.#clock = clock;
    this.#semaphores = semaphores;
  }

  exchange(key: string, { limit, leaseMs, release, renew, acquire }: PermitExchange): PermitAnswer {
    const semaphore = this.#semaphore(key);
    const now = this.#clock.monotonic();
    for (const id of release) semaphore.holders.delete(id) || semaphore.waiters.delete(id);
    dropExpired(semaphore, now);
    const lost = renew.filter((id) => !prolong(semaphore, id, now + leaseMs));
    for (const request of acquire) enqueue(semaphore, request, now + leaseMs);
    grant(semaphore, limit, now + leaseMs);
    const answer = {
      granted: [...renew, ...acquire.map(({ id }) => id)].flatMap((id) => {
        const holder = semaphore.holders.get(id);
        return holder === undefined ? [] : [{ id, fence: holder.fence }];
      }),
      lost,
      held: semaphore.holders.size,
      waiting: semaphore.waiters.size,
    };
    if (semaphore.waiters.size === 0) semaphore.finish.clear();
    return answer;
  }

  #semaphore(key: string): Semaphore {
    const known = this.#semaphores.get(key);
    if (known !== undefined) return known;
    const semaphore = { holders: new Map(), waiters: new Map(), finish: new Map(), virtualTime: 0, fence: 0, order: 0 };
    this.#semaphores.set(key, semaphore);
    return semaphore;
  }
}

function dropExpired({ holders, waiters }: Semaphore, now: number): void {
  for (const [id, { expires }] of holders) if (expires <= now) holders.delete(id);
  for (const [id, { expires }] of waiters) if (expires <= now) waiters.delete(id);
}

function prolong({ holders, waiters }: Semaphore, id: string, expires: number): boolean {
  const found = holders.get(id) ?? waiters.get(id);
  if (found !== undefined) found.expires = expires;
  return found !== undefined;
}

function enqueue(semaphore: Semaphore, { id, tenant, weight }: PermitRequest, expires: number): void {
  const tag = Math.max(semaphore.virtualTime, semaphore.finish.get(tenant) ?? 0);
  semaphore.finish.set(tenant, tag + 1 / weight);
  semaphore.waiters.set(id, { id, tag, order: semaphore.order++, expires });
}

function grant(semaphore: Semaphore, limit: number, expires: number): void {
  const free = limit - semaphore.holders.size;
  if (free <= 0 || semaphore.waiters.size === 0) return;
  const line = [...semaphore.waiters.values()].sort((a, b) => a.tag - b.tag || a.order - b.order);
  for (const { id, tag } of line.slice(0, free)) {
    semaphore.waiters.delete(id);
    semaphore.virtualTime = Math.max(semaphore.virtualTime, tag);
    semaphore.holders.set(id, { fence: ++semaphore.fence, expires });
  }
}
