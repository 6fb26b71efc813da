import type { TenantView } from '../contract/control.ts';
import type { QueueSettings } from '../contract/limits.ts';
import type { Duration } from '../duration.ts';
import type { CallOptions } from '../queue.ts';

/** `limit` starts per `per`, `burst` of them at once. */
export interface RateOption {
  readonly limit: number;
  readonly per: Duration;
  /** @default limit */
  readonly burst?: number;
}

/** Bounds of the whole queue; `null` removes one, what is left out stays as it is. */
export interface QueueLimitOptions {
  /** Jobs running at one time, everywhere together. */
  readonly maxLeased?: number | null;
  readonly rate?: RateOption | null;
  /** Jobs that may wait; more are rejected. */
  readonly maxWaiting?: number | null;
  /** Payload bytes that may wait. */
  readonly maxWaitingBytes?: number | null;
}

/** Bounds of one tenant, or of every tenant that has none of its own. */
export interface TenantLimitOptions extends QueueLimitOptions {
  /** Share relative to other tenants, above 0. */
  readonly weight?: number | null;
  /** Cost units per window; windows start at multiples of `per` since 1970 (`'1d'`: midnight UTC). */
  readonly budget?: { readonly units: number; readonly per: Duration } | null;
}

/** How many finished jobs are kept; all three bounds hold. */
export interface RetentionOption {
  readonly age?: Duration;
  readonly count?: number;
  readonly bytes?: number;
}

/** Settings of the whole queue. They live in the store: the last writer wins, everywhere at once. */
export interface SettingsOptions {
  readonly limits?: QueueLimitOptions;
  readonly tenantDefaults?: TenantLimitOptions;
  /** Waiting time that weighs as much as one step of priority. 0: strict priorities. */
  readonly aging?: Duration;
  readonly retention?: {
    readonly succeeded?: RetentionOption;
    readonly dead?: RetentionOption;
    readonly cancelled?: RetentionOption;
  };
}

/** Bounds, changed while the queue runs. In force for the next claim and the next enqueue of every process. */
export interface LimitsControl {
  set(settings: SettingsOptions, options?: CallOptions): Promise<QueueSettings>;
  get(options?: CallOptions): Promise<QueueSettings>;
  setTenant(tenant: string, limits: TenantLimitOptions, options?: CallOptions): Promise<TenantView>;
}
