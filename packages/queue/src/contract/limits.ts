/** `limit` starts per `per` milliseconds, `burst` of them at once (GCRA). */
export interface RateLimit {
  readonly limit: number;
  /** Milliseconds. */
  readonly per: number;
  /** @default limit */
  readonly burst?: number;
}

/** What may be bounded for a queue as a whole. `undefined` or absent: no bound. */
export interface QueueLimits {
  /** Jobs leased at one time. */
  readonly maxLeased?: number | undefined;
  readonly rate?: RateLimit | undefined;
  /** High-water mark: jobs waiting (ready and delayed). */
  readonly maxWaiting?: number | undefined;
  /** High-water mark: payload bytes waiting. */
  readonly maxWaitingBytes?: number | undefined;
}

/** What may be bounded for one tenant. */
export interface TenantLimits extends QueueLimits {
  /** Share relative to other tenants, above 0. @default 1 */
  readonly weight?: number | undefined;
  /** Cost units per window of `per` milliseconds (windows start at multiples of `per` since 1970). A job dearer than the whole budget runs in an untouched window. */
  readonly budget?: { readonly units: number; readonly per: number } | undefined;
}

/** How many finished jobs are kept, and for how long. All bounds hold at once. */
export interface RetentionRule {
  /** Milliseconds. */
  readonly age: number;
  readonly count: number;
  /** Payload, result and error bytes. */
  readonly bytes: number;
}

/** Settings of a queue that live in its store, so that every process obeys the same ones at once. */
export interface QueueSettings {
  readonly limits: QueueLimits;
  /** For tenants without limits of their own; a field a tenant sets itself wins. */
  readonly tenantDefaults: TenantLimits;
  /** Milliseconds of waiting that weigh as much as one step of priority; 0: strict priorities. */
  readonly aging: number;
  readonly retention: {
    readonly succeeded: RetentionRule;
    readonly dead: RetentionRule;
    readonly cancelled: RetentionRule;
  };
}

/** The settings a new queue starts with. */
export const defaultSettings: QueueSettings = {
  limits: {},
  tenantDefaults: {},
  aging: 60_000,
  retention: {
    succeeded: { age: 0, count: 0, bytes: 0 },
    dead: { age: 14 * 86_400_000, count: 10_000, bytes: 64 * 1_048_576 },
    cancelled: { age: 86_400_000, count: 1_000, bytes: 16 * 1_048_576 },
  },
};
