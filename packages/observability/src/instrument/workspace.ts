import type { workspaceMetrics } from '../catalogue/workspace.ts';
import type { Instruments } from '../metrics/instruments.ts';
import type { InstrumentParts } from './parts.ts';

interface CheckoutFacts {
  readonly repo: string;
  readonly ref: string | undefined;
  readonly tenant: string | undefined;
  readonly leaseId: string;
}

interface FetchFacts {
  readonly repo: string;
  readonly kind: 'probe' | 'fetch' | 'push';
}

/** `WorkspaceInstrumentation` of `@millrace/workspace`, by its shape. */
export interface WorkspaceHooks {
  readonly aroundCheckout: <T>(next: () => Promise<T>, info: CheckoutFacts) => Promise<T>;
  readonly aroundFetch: <T>(next: () => Promise<T>, info: FetchFacts) => Promise<T>;
  readonly onCheckedOut: (
    event: CheckoutFacts & { readonly strategy: string; readonly warm: boolean; readonly durationMs: number },
  ) => void;
  readonly onCheckoutFailed: (event: CheckoutFacts & { readonly code: string; readonly durationMs: number }) => void;
  readonly onFetched: (
    event: FetchFacts & { readonly durationMs: number; readonly shared: boolean; readonly code: string | undefined },
  ) => void;
  readonly onDisposed: (event: {
    readonly reason: 'disposed' | 'swept' | 'expired';
    readonly lifetimeMs: number;
  }) => void;
  readonly onEvicted: (event: {
    readonly kind: 'mirror' | 'template' | 'pool' | 'lfs' | 'quarantine';
    readonly bytes: number;
  }) => void;
  readonly onHealed: (event: { readonly repo: string; readonly generation: number }) => void;
  readonly onGauges: (event: {
    readonly workspaces: number;
    readonly gitProcesses: number;
    readonly gitWaiting: number;
    readonly poolReady: number;
  }) => void;
}

type Metrics = Instruments<typeof workspaceMetrics>;

/** Creates the hooks of the workspaces. */
export function workspaceHooks(metrics: Metrics, parts: InstrumentParts): WorkspaceHooks {
  return { ...spanHooks(parts), ...workHooks(metrics, parts), ...keepingHooks(metrics, parts) };
}

function spanHooks({ tracing }: InstrumentParts): Pick<WorkspaceHooks, 'aroundCheckout' | 'aroundFetch'> {
  return {
    aroundCheckout: (next, { repo, ref, tenant, leaseId }) => {
      const attributes = {
        'vcs.repository.url.full': repo,
        'millrace.workspace.lease': leaseId,
        ...(ref !== undefined && { 'vcs.ref.head.name': ref }),
        ...(tenant !== undefined && { 'millrace.tenant': tenant }),
      };
      return tracing.span('workspace checkout', { attributes }, () => next());
    },
    aroundFetch: (next, { repo, kind }) =>
      tracing.span(`git ${kind}`, { kind: 'client', attributes: { 'vcs.repository.url.full': repo } }, () => next()),
  };
}

function workHooks(
  metrics: Metrics,
  { events }: InstrumentParts,
): Pick<WorkspaceHooks, 'onCheckedOut' | 'onCheckoutFailed' | 'onFetched'> {
  return {
    onCheckedOut: ({ strategy, warm, durationMs }) =>
      metrics.prepare.observe(durationMs / 1_000, strategy, warm ? 'true' : 'false'),
    onCheckoutFailed: ({ repo, code, durationMs, leaseId }) => {
      metrics.failures.add(1, code);
      events.sample('error', 'workspace.checkout_failed', { repo, code, lease_id: leaseId, duration_ms: durationMs });
    },
    onFetched: ({ kind, durationMs, shared, code }) =>
      metrics.network.observe(durationMs / 1_000, kind, code !== undefined ? 'failed' : shared ? 'shared' : 'ok'),
  };
}

function keepingHooks(
  metrics: Metrics,
  { events }: InstrumentParts,
): Pick<WorkspaceHooks, 'onDisposed' | 'onEvicted' | 'onHealed' | 'onGauges'> {
  return {
    onDisposed: ({ reason, lifetimeMs }) => metrics.lifetime.observe(lifetimeMs / 1_000, reason),
    onEvicted: ({ kind, bytes }) => metrics.evicted.add(bytes, kind),
    onHealed: ({ repo, generation }) => {
      metrics.healed.add(1);
      events.write('warn', 'workspace.mirror_healed', { repo, generation });
    },
    onGauges: ({ workspaces, gitProcesses, gitWaiting, poolReady }) => {
      metrics.live.set(workspaces);
      metrics.gitProcesses.set(gitProcesses);
      metrics.gitWaiting.set(gitWaiting);
      metrics.poolReady.set(poolReady);
    },
  };
}
