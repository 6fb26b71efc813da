import type { queueMetrics } from '../catalogue/queue.ts';
import type { attemptOutcomes } from '../catalogue/values.ts';
import { errorClass, errorCode } from '../error-class.ts';
import type { Instruments } from '../metrics/instruments.ts';
import { formatTraceparent } from '../trace/traceparent.ts';
import type { InstrumentParts } from './parts.ts';

type JobOutcome = (typeof attemptOutcomes)[number];

interface JobFacts {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
}

interface AttemptFacts extends JobFacts {
  readonly queue: string;
  readonly attempt: number;
  readonly fence: number;
  readonly traceparent?: string;
  readonly waitMs: number;
}

interface Batch<T> {
  readonly queue: string;
  readonly jobs: readonly T[];
}

/** `QueueInstrumentation` of `@millrace/queue`, by its shape: metrics per batch, spans per call and attempt, lines for trouble. */
export interface QueueHooks {
  /** True without an SDK and without ids to bind: the queue then spares its jobs the `around` hooks. */
  skipsAround(): boolean;
  aroundEnqueue<T>(
    info: Batch<JobFacts> & { readonly traceparent?: string },
    next: (carrier?: { readonly traceparent?: string }) => Promise<T>,
  ): Promise<T>;
  aroundAttempt<T>(info: AttemptFacts, next: () => Promise<T>): Promise<T>;
  onEnqueued(
    event: Batch<JobFacts & { readonly status: 'accepted' | 'duplicate' }> & { readonly durationMs: number },
  ): void;
  onRejected(
    event: Batch<JobFacts & { readonly scope: 'queue' | 'tenant'; readonly limit: 'count' | 'bytes' | 'store' }>,
  ): void;
  onClaimed(event: Batch<JobFacts & { readonly waitMs: number }> & { readonly durationMs: number }): void;
  onSettled(
    event: Batch<
      JobFacts & {
        readonly kind: JobOutcome;
        readonly outcome: 'applied' | 'stale';
        readonly runMs: number;
        readonly errorCode?: string;
      }
    >,
  ): void;
  onSwept(event: {
    readonly queue: string;
    readonly promoted: number;
    readonly expired: readonly (JobFacts & { readonly to: 'ready' | 'dead' })[];
    readonly forgotten: number;
  }): void;
  onLeaseLost(event: Batch<JobFacts> & { readonly reason: 'session' | 'visibility' | 'deadline-of-lease' }): void;
  onStoreError(event: {
    readonly queue: string;
    readonly operation: 'enqueue' | 'exchange' | 'control' | 'heartbeat';
    readonly error: unknown;
  }): void;
}

/** Traces of finished attempts whose settlement has not been seen yet; the oldest go first. */
const maxPendingExemplars = 1_000;

/** Creates the hooks of the queue. */
export function queueHooks(metrics: Instruments<typeof queueMetrics>, parts: InstrumentParts): QueueHooks {
  const exemplars = new Map<string, string>();
  return { ...aroundHooks(parts, exemplars), ...flowHooks(metrics, parts, exemplars), ...troubleHooks(metrics, parts) };
}

function aroundHooks(
  { tracing, context, attemptTrace, bindJobs }: InstrumentParts,
  exemplars: Map<string, string>,
): Pick<QueueHooks, 'skipsAround' | 'aroundEnqueue' | 'aroundAttempt'> {
  return {
    skipsAround: () => !bindJobs && !tracing.enabled(),
    aroundEnqueue: (info, next) => {
      if (!tracing.enabled()) return next();
      const attributes = {
        'messaging.system': 'millrace',
        'messaging.operation.type': 'send',
        'messaging.operation.name': 'enqueue',
        'messaging.destination.name': info.queue,
        'messaging.batch.message_count': info.jobs.length,
      };
      const options = { kind: 'producer', attributes, parent: info.traceparent } as const;
      return tracing.span(`enqueue ${info.queue}`, options, (span) => {
        const traceparent = span && formatTraceparent(span.spanContext());
        return next(traceparent === undefined ? undefined : { traceparent });
      });
    },
    aroundAttempt: (info, next) => {
      const traced = tracing.enabled();
      if (!traced && !bindJobs) return next();
      const { queue, id: jobId, attempt, tenant } = info;
      const bound = bindJobs ? () => context.run({ queue, jobId, attempt, tenant }, next) : next;
      if (!traced) return bound();
      const linked = attemptTrace === 'link';
      const origin = linked ? { root: true, links: [info.traceparent] } : { parent: info.traceparent };
      const options = { kind: 'consumer', attributes: attemptAttributes(info), ...origin } as const;
      return tracing.span(`process ${queue}`, options, (span) => {
        if (span?.isRecording()) remember(exemplars, jobId, span.spanContext().traceId);
        return bound();
      });
    },
  };
}

function attemptAttributes(info: AttemptFacts): Record<string, string | number> {
  return {
    'messaging.system': 'millrace',
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'process',
    'messaging.destination.name': info.queue,
    'messaging.message.id': info.id,
    'millrace.job.name': info.name,
    'millrace.job.attempt': info.attempt,
    'millrace.job.fence': info.fence,
    'millrace.job.wait_ms': info.waitMs,
    'millrace.tenant': info.tenant,
  };
}

function remember(exemplars: Map<string, string>, jobId: string, traceId: string): void {
  exemplars.set(jobId, traceId);
  if (exemplars.size <= maxPendingExemplars) return;
  for (const oldest of exemplars.keys()) {
    exemplars.delete(oldest);
    return;
  }
}

/** The hot path: what happens to every job. No closure, no string and no object is made per job. */
function flowHooks(
  metrics: Instruments<typeof queueMetrics>,
  { tenants }: InstrumentParts,
  exemplars: Map<string, string>,
): Pick<QueueHooks, 'onEnqueued' | 'onClaimed' | 'onSettled'> {
  return {
    onEnqueued: ({ queue, jobs, durationMs }) => {
      metrics.storeCall.observe(durationMs / 1_000, queue, 'enqueue');
      forAlike(jobs, sameStatus, ({ name, status }, count) => metrics.enqueued.add(count, queue, name, status));
    },
    onClaimed: ({ queue, jobs, durationMs }) => {
      metrics.storeCall.observe(durationMs / 1_000, queue, 'claim');
      for (const { name, tenant, waitMs } of jobs) {
        metrics.wait.observe(waitMs / 1_000, queue, name);
        tenants.of(tenant).wait.observe(waitMs / 1_000);
      }
    },
    onSettled: ({ queue, jobs }) => {
      forAlike(jobs, sameEnd, ({ name, kind, errorCode, outcome }, count) => {
        if (outcome === 'applied') metrics.jobs.add(count, queue, name, kind, errorClass(errorCode));
        else metrics.staleSettlements.add(count, queue, kind);
      });
      for (const job of jobs) {
        const { id, name, kind } = job;
        if (job.outcome === 'stale') continue;
        metrics.run.observe(job.runMs / 1_000, queue, name, kind);
        const { ended, endedOtherwise } = tenants.use(job.tenant);
        (ended[kind] ?? endedOtherwise).add(1);
        const traceId = exemplars.size > 0 ? exemplars.get(id) : undefined;
        if (traceId === undefined) continue;
        exemplars.delete(id);
        metrics.run.exemplify(job.runMs / 1_000, traceId, queue, name, kind);
      }
    },
  };
}

type EnqueuedJob = Parameters<QueueHooks['onEnqueued']>[0]['jobs'][number];
type SettledJob = Parameters<QueueHooks['onSettled']>[0]['jobs'][number];

const sameStatus = (a: EnqueuedJob, b: EnqueuedJob): boolean => a.name === b.name && a.status === b.status;
const sameEnd = (a: SettledJob, b: SettledJob): boolean =>
  a.name === b.name && a.kind === b.kind && a.outcome === b.outcome && a.errorCode === b.errorCode;

/** Calls `visit` once per row of neighbours that are alike: most of a batch are, and a series is looked up once for all of them. */
function forAlike<T>(
  items: readonly T[],
  alike: (a: T, b: T) => boolean,
  visit: (one: T, count: number) => void,
): void {
  let from = 0;
  for (let index = 1; index <= items.length; index += 1) {
    const first = items[from] as T;
    if (index < items.length && alike(first, items[index] as T)) continue;
    visit(first, index - from);
    from = index;
  }
}

function troubleHooks(
  metrics: Instruments<typeof queueMetrics>,
  { events, tenants }: InstrumentParts,
): Pick<QueueHooks, 'onRejected' | 'onSwept' | 'onLeaseLost' | 'onStoreError'> {
  return {
    onRejected: ({ queue, jobs }) => {
      for (const { scope, limit, tenant } of jobs) {
        metrics.rejected.add(1, queue, scope, limit);
        tenants.use(tenant).rejected.add(1);
      }
      events.sample('warn', 'queue.rejected', {
        queue,
        jobs: jobs.length,
        tenant: jobs[0]?.tenant,
        limit: jobs[0]?.limit,
      });
    },
    onSwept: ({ queue, promoted, expired, forgotten }) => {
      if (promoted > 0) metrics.promoted.add(promoted, queue);
      if (forgotten > 0) metrics.forgotten.add(forgotten, queue);
      for (const { id, name, to } of expired) {
        metrics.redeliveries.add(1, queue, to);
        events.sample('warn', 'queue.lease_expired', { queue, job_id: id, job: name, to });
      }
    },
    onLeaseLost: ({ queue, jobs, reason }) => {
      metrics.leaseLost.add(jobs.length, queue, reason);
      events.sample('error', 'queue.lease_lost', {
        queue,
        reason,
        job_ids: jobs.slice(0, 10).map(({ id }) => id),
        jobs: jobs.length,
      });
    },
    onStoreError: ({ queue, operation, error }) => {
      metrics.storeErrors.add(1, queue, operation);
      events.sample('error', 'queue.store_error', { queue, operation, code: errorCode(error), err: error });
    },
  };
}
