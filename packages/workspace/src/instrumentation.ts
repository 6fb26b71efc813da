import type { StrategyName } from './strategy.ts';

/** What a checkout is about: the labels that a span or a metric wants. Plain data. */
export interface CheckoutInfo {
  /** Address of the repository without credentials, query and fragment. */
  readonly repo: string;
  /** The wanted ref as the caller wrote it; undefined for the default branch of the remote. */
  readonly ref: string | undefined;
  /** Tenant the workspace is booked to; undefined when the caller named none. */
  readonly tenant: string | undefined;
  /** Name of the lease, which is also the name of the workspace. */
  readonly leaseId: string;
}

/** What one call of the network did. */
export interface FetchInfo {
  /** Address of the repository without credentials, query and fragment. */
  readonly repo: string;
  /** `probe` asks which refs there are, `fetch` brings objects, `push` sends them. */
  readonly kind: 'probe' | 'fetch' | 'push';
}

/** How a checkout ended well. */
export interface CheckedOutEvent extends CheckoutInfo {
  /** Strategy that made the working tree. */
  readonly strategy: StrategyName;
  /** True when nothing had to be fetched and a template or a pool member was ready. */
  readonly warm: boolean;
  /** From the call to the usable workspace, in milliseconds. */
  readonly durationMs: number;
}

/** How a checkout ended badly. */
export interface CheckoutFailedEvent extends CheckoutInfo {
  /** The error's code (`ERR_WORKSPACE_…`), or `ERR_UNKNOWN`. */
  readonly code: string;
  /** From the call to the failure, in milliseconds. */
  readonly durationMs: number;
}

/** One finished network operation. */
export interface FetchedEvent extends FetchInfo {
  /** In milliseconds. */
  readonly durationMs: number;
  /** True when another caller's fetch brought what this caller wanted. */
  readonly shared: boolean;
  /** The error's code, undefined when it went well. */
  readonly code: string | undefined;
}

/** A workspace is gone. */
export interface DisposedEvent {
  /** Name of the lease. */
  readonly leaseId: string;
  /** Why it went: its owner let go, its owner had died, or its time was over. */
  readonly reason: 'disposed' | 'swept' | 'expired';
  /** How long it lived, in milliseconds. */
  readonly lifetimeMs: number;
}

/** Something was removed to make room, or as no longer usable. */
export interface EvictedEvent {
  /** What kind of thing. */
  readonly kind: 'mirror' | 'template' | 'pool' | 'lfs' | 'quarantine';
  /** Bytes given back (blocks on disk). */
  readonly bytes: number;
}

/** A mirror was found corrupt and replaced by a new generation. */
export interface HealedEvent {
  /** Address of the repository without credentials. */
  readonly repo: string;
  /** Generation that is in use now. */
  readonly generation: number;
}

/** A snapshot of the books, sent after a checkout, a disposal and a prune. */
export interface GaugesEvent {
  /** Live workspaces of this manager. */
  readonly workspaces: number;
  /** Git processes that run now. */
  readonly gitProcesses: number;
  /** Git processes that wait for a free slot. */
  readonly gitWaiting: number;
  /** Pool members that are ready to be taken. */
  readonly poolReady: number;
}

/**
 * What the package tells an observer. Every member is optional; an absent one costs nothing. A listener that throws
 * does not disturb the work: its error is dropped.
 *
 * @example
 * ```ts
 * createWorkspaceManager({ root, instrumentation: { onCheckedOut: (event) => histogram.observe(event.durationMs) } });
 * ```
 */
export interface WorkspaceInstrumentation {
  /** Runs around every checkout; must call `next` exactly once and return its answer. */
  readonly aroundCheckout?: <T>(next: () => Promise<T>, info: CheckoutInfo) => Promise<T>;
  /** Runs around every network operation of git. */
  readonly aroundFetch?: <T>(next: () => Promise<T>, info: FetchInfo) => Promise<T>;
  /** A workspace is ready. */
  readonly onCheckedOut?: (event: CheckedOutEvent) => void;
  /** A checkout failed; nothing was left behind. */
  readonly onCheckoutFailed?: (event: CheckoutFailedEvent) => void;
  /** A network operation ended. */
  readonly onFetched?: (event: FetchedEvent) => void;
  /** A workspace is gone. */
  readonly onDisposed?: (event: DisposedEvent) => void;
  /** Something was removed for room. */
  readonly onEvicted?: (event: EvictedEvent) => void;
  /** A corrupt mirror was replaced. */
  readonly onHealed?: (event: HealedEvent) => void;
  /** The books changed. */
  readonly onGauges?: (event: GaugesEvent) => void;
}

/** Tells a listener and shields the work from its errors. */
export function notify<Event>(listener: ((event: Event) => void) | undefined, event: Event): void {
  try {
    listener?.(event);
  } catch {
    // An observer's defect must not fail a checkout.
  }
}
