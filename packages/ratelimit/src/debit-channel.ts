import type { Clock } from './clock.ts';
import type { DebitDecision, DebitRequest, MaybePromise, RateStore, RateTable } from './store.ts';
import type { StoreGate } from './store-gate.ts';

/** Tokens taken ahead of time for a hot key. */
export interface LeaseSettings {
  /** Most calls that are taken ahead. */
  readonly max: number;
  /** Milliseconds after which what is unused is lost (never overspent: it was debited when it was taken). */
  readonly ttlMs: number;
}

interface Pending {
  readonly request: DebitRequest;
  readonly resolve: (decision: DebitDecision) => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly table: RateTable;
  readonly pending: Pending[];
}

interface Lease {
  left: number;
  /** Calls to take next time: doubles when a lease is used up in time, halves when it was not. */
  size: number;
  expires: number;
  decision: DebitDecision;
}

const firstLease = 8;

/**
 * The way to a shared rate store. Requests of one tick and one table travel in one trip; a hot table may also bring back
 * a lease of calls that are then decided here without any trip.
 */
export class DebitChannel {
  readonly #rates: RateStore;
  readonly #gate: StoreGate;
  readonly #clock: Clock;
  readonly #batching: boolean;
  readonly #lease: LeaseSettings | undefined;
  readonly #batches = new Map<string, Batch>();
  readonly #leases = new Map<string, Lease>();

  constructor(options: {
    rates: RateStore;
    gate: StoreGate;
    clock: Clock;
    batching: boolean;
    lease: LeaseSettings | undefined;
  }) {
    this.#rates = options.rates;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#batching = options.batching;
    this.#lease = options.lease;
  }

  debit(table: RateTable, request: DebitRequest): MaybePromise<DebitDecision> {
    const leased = this.#lease === undefined ? undefined : this.#fromLease(table, request);
    if (leased !== undefined) return leased;
    return this.#batching ? this.#enqueue(table, request) : this.#single(table, request);
  }

  #single(table: RateTable, request: DebitRequest): MaybePromise<DebitDecision> {
    const answer = this.#gate.ask(() => this.#rates.debit(table, [request]));
    return answer instanceof Promise ? answer.then(([only]) => only as DebitDecision) : (answer[0] as DebitDecision);
  }

  #enqueue(table: RateTable, request: DebitRequest): Promise<DebitDecision> {
    return new Promise((resolve, reject) => {
      const batch = this.#batches.get(table.id);
      if (batch !== undefined) return void batch.pending.push({ request, resolve, reject });
      this.#batches.set(table.id, { table, pending: [{ request, resolve, reject }] });
      setImmediate(() => void this.#flush(table.id));
    });
  }

  async #flush(id: string): Promise<void> {
    const batch = this.#batches.get(id);
    if (batch === undefined) return;
    this.#batches.delete(id);
    const { table, pending } = batch;
    const requests = pending.map(({ request }) => request);
    const ahead = this.#ahead(table, requests);
    try {
      const decisions = await this.#gate.ask(() => this.#rates.debit(table, [...requests, ...ahead]));
      pending.forEach(({ resolve }, i) => {
        resolve(decisions[i] as DebitDecision);
      });
      ahead.forEach((request, i) => {
        this.#keep(table, request, decisions[pending.length + i]);
      });
    } catch (error) {
      for (const { reject } of pending) reject(error);
    }
  }

  #fromLease(table: RateTable, request: DebitRequest): DebitDecision | undefined {
    const lease = this.#leases.get(leaseName(table, request));
    if (lease === undefined || lease.left === 0) return undefined;
    if (lease.expires <= this.#clock.monotonic()) {
      lease.left = 0;
      lease.size = Math.max(firstLease, lease.size >> 1);
      return undefined;
    }
    lease.left -= 1;
    return lease.decision;
  }

  /** One more request per kind of call in the batch: as many copies as are free now. */
  #ahead(table: RateTable, requests: readonly DebitRequest[]): DebitRequest[] {
    if (this.#lease === undefined) return [];
    const kinds = new Map(requests.map((request) => [leaseName(table, request), request]));
    return [...kinds].map(([name, request]) => {
      const copies = this.#leases.get(name)?.size ?? firstLease;
      return { ...request, maxWait: 0, copies };
    });
  }

  #keep(table: RateTable, request: DebitRequest, decision: DebitDecision | undefined): void {
    if (this.#lease === undefined || decision === undefined || decision.granted === 0) return;
    if (this.#leases.size >= 10_000) this.#leases.clear();
    const full = decision.granted === request.copies;
    const size = full ? Math.min(this.#lease.max, request.copies * 2) : Math.max(firstLease, decision.granted);
    const expires = this.#clock.monotonic() + this.#lease.ttlMs;
    this.#leases.set(leaseName(table, request), { left: decision.granted, size, expires, decision });
  }
}

function leaseName(table: RateTable, { cost, share }: DebitRequest): string {
  return `${table.id}\n${share}:${cost.join()}`;
}
