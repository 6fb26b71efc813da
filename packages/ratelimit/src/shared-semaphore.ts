import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import { PermitLostError } from './errors.ts';
import type { Permit, PermitDemand, Semaphore } from './local-semaphore.ts';
import type { PermitAnswer, PermitRequest, PermitStore } from './store.ts';
import type { StoreGate } from './store-gate.ts';
import { Turn } from './turn.ts';
import type { WaitingLine } from './waiting-line.ts';

/** Options of a {@link SharedSemaphore}. */
export interface SharedSemaphoreOptions {
  readonly key: string;
  readonly limit: () => number;
  readonly permits: PermitStore;
  readonly gate: StoreGate;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Grants a permit while the store is down, or throws. */
  readonly withoutStore: (demand: PermitDemand, error: unknown) => Permit | Promise<Permit>;
  readonly line: WaitingLine;
}

interface Wish {
  readonly request: PermitRequest;
  readonly demand: PermitDemand;
  readonly turn: Turn<Permit>;
}

const firstPollMs = 4;
const slowestPollMs = 50;

/**
 * Permits shared by processes. All that this process wants of a key travels in one exchange at a time; who waits keeps a place in the
 * store's line and looks again with growing pauses, at most 50 ms apart. Leases are renewed for as long as the process lives.
 */
export class SharedSemaphore implements Semaphore {
  readonly #options: SharedSemaphoreOptions;
  readonly #wishes = new Map<string, Wish>();
  readonly #holders = new Map<string, AbortController>();
  #fresh: PermitRequest[] = [];
  #releases: string[] = [];
  #exchanging = false;
  #scheduled = false;
  #timer: unknown;
  #pollMs = firstPollMs;
  #renewedAt = 0;

  constructor(options: SharedSemaphoreOptions) {
    this.#options = options;
  }

  get held(): number {
    return this.#holders.size;
  }

  get waiting(): number {
    return this.#wishes.size;
  }

  acquire(demand: PermitDemand): Promise<Permit> {
    const { ctx, weight, patience, expired } = demand;
    if (ctx.aborted) return Promise.reject(ctx.signal.reason);
    const request = { id: randomUUID(), tenant: ctx.tenant ?? '', weight };
    const onGone = (): void => {
      this.#wishes.delete(request.id);
      this.#release(request.id);
    };
    const { line, clock } = this.#options;
    const turn = new Turn<Permit>({ ctx, line, clock, waitingFor: 'permit', patience, expired, onGone });
    this.#wishes.set(request.id, { request, demand, turn });
    this.#fresh.push(request);
    this.#schedule();
    return turn.promise;
  }

  #release(id: string): void {
    this.#releases.push(id);
    this.#schedule();
  }

  /** Everything of this tick goes into one exchange. */
  #schedule(): void {
    if (this.#scheduled || this.#exchanging) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#exchange();
    });
  }

  async #exchange(): Promise<void> {
    const { clock, permits, gate, key, limit, leaseMs } = this.#options;
    if (this.#exchanging) return;
    this.#exchanging = true;
    clock.clearTimeout(this.#timer);
    const acquire = this.#fresh.filter(({ id }) => this.#wishes.has(id));
    const release = this.#releases;
    const fresh = new Set(acquire.map(({ id }) => id));
    const renew = [...this.#wishes.keys()].filter((id) => !fresh.has(id)).concat(this.#dueRenewals());
    this.#fresh = [];
    this.#releases = [];
    let reached = true;
    try {
      const answer = await gate.ask(() => permits.exchange(key, { limit: limit(), leaseMs, release, renew, acquire }));
      this.#apply(answer);
    } catch (error) {
      reached = false;
      this.#releases.push(...release);
      this.#fallBack(error);
    }
    this.#exchanging = false;
    this.#plan(reached);
  }

  /** Held permits are renewed after a third of their lease. */
  #dueRenewals(): string[] {
    const now = this.#options.clock.monotonic();
    if (now - this.#renewedAt < this.#options.leaseMs / 3) return [];
    this.#renewedAt = now;
    return [...this.#holders.keys()];
  }

  #apply({ granted, lost }: PermitAnswer): void {
    for (const { id, fence } of granted) {
      const wish = this.#wishes.get(id);
      if (wish !== undefined) this.#grant(id, fence, wish);
      else if (!this.#holders.has(id)) this.#releases.push(id);
      this.#pollMs = firstPollMs;
    }
    for (const id of lost) {
      const wish = this.#wishes.get(id);
      if (wish !== undefined) this.#fresh.push(wish.request);
      this.#holders.get(id)?.abort(new PermitLostError(this.#options.key));
      this.#holders.delete(id);
    }
  }

  #grant(id: string, fence: number, wish: Wish): void {
    const lost = new AbortController();
    this.#wishes.delete(id);
    this.#holders.set(id, lost);
    wish.turn.take({
      fence,
      lost: lost.signal,
      release: () => {
        if (this.#holders.delete(id)) this.#release(id);
      },
    });
  }

  #fallBack(error: unknown): void {
    for (const [id, wish] of this.#wishes) {
      this.#wishes.delete(id);
      this.#releases.push(id);
      wish.turn.take(Promise.resolve().then(() => this.#options.withoutStore(wish.demand, error)));
    }
    this.#fresh = [];
  }

  /** The next exchange: at once for news, after a pause to look again, or in time to renew what is held. */
  #plan(reached: boolean): void {
    const { clock, leaseMs } = this.#options;
    if (this.#fresh.length > 0 || (reached && this.#releases.length > 0)) {
      this.#schedule();
      return;
    }
    const pause = this.#wishes.size > 0 ? this.#nextPoll() : this.#releases.length > 0 ? slowestPollMs : leaseMs / 3;
    const idle = this.#wishes.size + this.#releases.length + this.#holders.size === 0;
    if (!idle) this.#timer = clock.setTimeout(() => void this.#exchange(), pause);
  }

  #nextPoll(): number {
    const pause = this.#pollMs;
    this.#pollMs = Math.min(slowestPollMs, pause * 1.5);
    return pause;
  }
}
