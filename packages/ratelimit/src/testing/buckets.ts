/** A provider's token bucket: full at the start, refilled continuously; it may go into debt for what is only known afterwards. */
export class Bucket {
  readonly limit: number;
  readonly #windowMs: number;
  readonly #othersShare: () => number;
  readonly #now: () => number;
  #level: number;
  #at: number;
  /** Units used by the clients under test, refused ones not counted. */
  used = 0;

  /** @param othersShare - the part of the refill that somebody else uses up */
  constructor(limit: number, windowMs: number, now: () => number, othersShare: () => number) {
    this.limit = limit;
    this.#windowMs = windowMs;
    this.#now = now;
    this.#othersShare = othersShare;
    this.#level = limit * (1 - othersShare());
    this.#at = now();
  }

  get remaining(): number {
    this.#refill();
    return Math.max(0, Math.floor(this.#level));
  }

  /** Milliseconds until `units` are there. */
  timeUntil(units: number): number {
    this.#refill();
    const rate = (this.limit * (1 - this.#othersShare())) / this.#windowMs;
    return Math.max(0, (Math.min(units, this.limit) - this.#level) / rate);
  }

  has(units: number): boolean {
    this.#refill();
    return this.#level >= Math.min(units, this.limit);
  }

  take(units: number): void {
    this.#refill();
    this.#level -= units;
    this.used += units;
  }

  #refill(): void {
    const now = this.#now();
    const share = 1 - this.#othersShare();
    this.#level = Math.min(this.limit * share, this.#level + ((now - this.#at) / this.#windowMs) * this.limit * share);
    this.#at = now;
  }
}

/** Limits of one account, per minute. An absent one is not enforced. */
export interface FakeLimits {
  readonly requests?: number;
  readonly input?: number;
  readonly output?: number;
}

/** The three buckets of a language model's account. */
export class AccountBuckets {
  readonly requests: Bucket | undefined;
  readonly input: Bucket | undefined;
  readonly output: Bucket | undefined;

  constructor(limits: FakeLimits, windowMs: number, now: () => number, othersShare: () => number) {
    const bucket = (limit: number | undefined): Bucket | undefined =>
      limit === undefined ? undefined : new Bucket(limit, windowMs, now, othersShare);
    this.requests = bucket(limits.requests);
    this.input = bucket(limits.input);
    this.output = bucket(limits.output);
  }

  /** Admits a request with so many input tokens, or says which bucket is empty and for how long. Output is taken as it is produced. */
  admit(input: number): { readonly limit: 'requests' | 'input' | 'output'; readonly waitMs: number } | undefined {
    const needs = { requests: 1, input, output: 1 };
    for (const limit of ['requests', 'input', 'output'] as const) {
      const bucket = this[limit];
      if (bucket !== undefined && !bucket.has(needs[limit])) return { limit, waitMs: bucket.timeUntil(needs[limit]) };
    }
    this.requests?.take(1);
    this.input?.take(input);
    return undefined;
  }
}
