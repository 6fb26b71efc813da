import type { Clock } from './clock.ts';
import type { DebitDecision, DebitRequest, MaybePromise, RateStore, RateTable } from './store.ts';
import { identity, type StoreGate } from './store-gate.ts';

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

/** Calls of one kind that were taken ahead. */
interface Lease {
  readonly request: DebitRequest;
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
  readonly #refusesLate: boolean;
  readonly #batches = new Map<string, Batch>();
  readonly #leases = new Map<RateTable, Lease[]>();

  constructor(options: {
    rates: RateStore;
    gate: StoreGate;
    clock: Clock;
    batching: boolean;
    lease: LeaseSettings | undefined;
    /** Calls whose answer is late are refused: their slots go back. Without it they go on, and what they used stays booked. */
    refusesLate: boolean;
  }) {
    this.#rates = options.rates;
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#batching = options.batching;
    this.#lease = options.lease;
    this.#refusesLate = options.refusesLate;
  }

  debit(table: RateTable, request: DebitRequest): MaybePromise<DebitDecision> {
    const leased = this.#lease === undefined ? undefined : this.#fromLease(table, request);
    if (leased !== undefined) return leased;
    return this.#batching ? this.#enqueue(table, request) : this.#single(table, request);
  }

  #single(table: RateTable, request: DebitRequest): MaybePromise<DebitDecision> {
    return this.#ask(table, [request], 1, onlyOne);
  }

  /** @param callers - so many requests, from the first one, are those of waiting calls; the rest is taken ahead */
  #ask<R>(
    table: RateTable,
    requests: readonly DebitRequest[],
    callers: number,
    read: (decisions: readonly DebitDecision[]) => R,
  ): MaybePromise<R> {
    return this.#gate.askFor(
      () => this.#rates.debit(table, requests),
      (late) => {
        const unused = this.#refusesLate ? 0 : callers;
        this.#giveBack(table, requests.slice(unused), late.slice(unused));
      },
      read,
    );
  }

  #giveBack(table: RateTable, requests: readonly DebitRequest[], decisions: readonly DebitDecision[]): void {
    const adjustments = decisions.flatMap(({ granted, at, share }, i) => {
      const delta = (requests[i]?.cost ?? []).map((units) => -units * granted);
      return granted === 0 ? [] : [{ delta, at, share }];
    });
    if (adjustments.length === 0) return;
    const done = this.#rates.adjust(table, adjustments);
    // Lost with the store they stay booked, which errs on the safe side.
    if (done instanceof Promise) done.catch(() => {});
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
      const decisions = await this.#ask(table, [...requests, ...ahead], requests.length, identity);
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
    const lease = this.#leaseOf(table, request);
    if (lease === undefined || lease.left === 0) return undefined;
    if (lease.expires <= this.#clock.monotonic()) {
      lease.left = 0;
      lease.size = Math.max(firstLease, lease.size >> 1);
      return undefined;
    }
    lease.left -= 1;
    return lease.decision;
  }

  #leaseOf(table: RateTable, request: DebitRequest): Lease | undefined {
    const leases = this.#leases.get(table);
    if (leases === undefined) return undefined;
    for (const lease of leases) if (areAlike(lease.request, request)) return lease;
    return undefined;
  }

  /** One more request per kind of call in the batch: as many copies as are free now. */
  #ahead(table: RateTable, requests: readonly DebitRequest[]): DebitRequest[] {
    if (this.#lease === undefined) return [];
    const kinds: DebitRequest[] = [];
    for (const request of requests) if (!kinds.some((kind) => areAlike(kind, request))) kinds.push(request);
    return kinds.map((request) => {
      const copies = this.#leaseOf(table, request)?.size ?? firstLease;
      return { ...request, maxWait: 0, copies };
    });
  }

  #keep(table: RateTable, request: DebitRequest, decision: DebitDecision | undefined): void {
    if (this.#lease === undefined || decision === undefined || decision.granted === 0) return;
    const left = decision.granted;
    const full = left === request.copies;
    const size = full ? Math.min(this.#lease.max, request.copies * 2) : Math.max(firstLease, left);
    const expires = this.#clock.monotonic() + this.#lease.ttlMs;
    const known = this.#leaseOf(table, request);
    if (known !== undefined) Object.assign(known, { left, size, expires, decision });
    else this.#leasesOf(table).push({ request, left, size, expires, decision });
  }

  /** Forgets everything when it has become too much: what was taken ahead is lost, never overspent. */
  #leasesOf(table: RateTable): Lease[] {
    if (this.#leases.size >= maxLeasedTables) this.#leases.clear();
    const known = this.#leases.get(table);
    if (known !== undefined && known.length < maxKinds) return known;
    const fresh: Lease[] = [];
    this.#leases.set(table, fresh);
    return fresh;
  }
}

const onlyOne = ([only]: readonly DebitDecision[]): DebitDecision => only as DebitDecision;

const maxLeasedTables = 10_000;
/** Kinds of calls (by cost and class) of one table that have leases; they are looked through one by one. */
const maxKinds = 16;

function areAlike(a: DebitRequest, b: DebitRequest): boolean {
  if (a.share !== b.share || a.cost.length !== b.cost.length) return false;
  if (a.cost === b.cost) return true;
  for (let i = 0; i < a.cost.length; i++) if (a.cost[i] !== b.cost[i]) return false;
  return true;
}
