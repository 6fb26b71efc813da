import type { Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import {
  idempotencyMetrics,
  processMetrics,
  queueMetrics,
  rateLimitMetrics,
  runMetrics,
  workspaceMetrics,
} from './catalogue/index.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Context, createContext } from './context.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError } from './errors.ts';
import { createHealth, type Health } from './health/health.ts';
import { createFetchHandler } from './http.ts';
import { type IdempotencyHooks, idempotencyHooks } from './instrument/idempotency.ts';
import type { InstrumentParts } from './instrument/parts.ts';
import { type QueueHooks, queueHooks } from './instrument/queue.ts';
import type { HeaderReader } from './instrument/quota.ts';
import { type RateLimitHooks, rateLimitHooks, recordQuotas } from './instrument/ratelimit.ts';
import { tenantSeries } from './instrument/tenants.ts';
import { type WorkspaceHooks, workspaceHooks } from './instrument/workspace.ts';
import { createEventLog } from './log/events.ts';
import { createLog, type LogOptions } from './log/log.ts';
import type { Collector } from './metrics/collectors.ts';
import { hasOpenLabels, type MetricCatalogue } from './metrics/definition.ts';
import type { Instruments } from './metrics/instruments.ts';
import { createMeter, type Meter } from './metrics/meter.ts';
import { TopK } from './metrics/top-k.ts';
import { type ProcessWatch, watchProcess } from './process.ts';
import { type WatchedQueue, type WatchQueueOptions, watchQueue } from './queue-watch.ts';
import { createTracing } from './trace/tracing.ts';
import { version } from './version.ts';

/** Options of {@link createObservability}. */
export interface ObservabilityOptions {
  /** Name of the service, in every log line and in `millrace_service_info`. */
  readonly service: string;
  /** Version of the service. @default 'unknown' */
  readonly version?: string;
  /** A prom-client registry of yours; its other metrics are shown too. @default a new one */
  readonly registry?: Registry;
  /** A pino logger of yours instead of ours: redaction and ids are then your work. */
  readonly logger?: Logger;
  /** Options of our log; `false` writes nothing and binds no ids, which saves some time per job. @default {} */
  readonly log?: LogOptions | false;
  /** Limits of the metrics. */
  readonly metrics?: {
    /** Series per metric with open labels; what is more goes to the `__other__` series. @default 1000 */
    readonly maxSeries?: number;
    /** An unused series with open labels is dropped after this time. @default '1h' */
    readonly seriesTtl?: Duration;
    /** Tenants that get series of their own. @default 20 */
    readonly topTenants?: number;
    /** What a reading before a scrape may take. @default '2s' */
    readonly collectTimeout?: Duration;
  };
  readonly traces?: {
    /** An attempt's trace is new and *linked* to its producer's, or it is part of it: for jobs that a request waits for. @default 'link' */
    readonly attempts?: 'link' | 'parent';
  };
  readonly health?: {
    /** `/livez` says no when the event loop stood still for longer than this since the last scrape; 0 never does. @default '10s' */
    readonly maxEventLoopLag?: Duration;
  };
  /** @default the clock of this process */
  readonly clock?: Clock;
}

/** Metrics, traces, logs and health of one service. */
export interface Observability extends AsyncDisposable {
  /** `instrumentation` of `createQueue`. */
  readonly queue: QueueHooks;
  /** `instrumentation` of the policies of `@millrace/ratelimit`. */
  readonly rateLimit: RateLimitHooks;
  /** `instrumentation` of `createWorkspaceManager`. */
  readonly workspace: WorkspaceHooks;
  /** `instrumentation` of `createIdempotency`. */
  readonly idempotency: IdempotencyHooks;
  /** Instruments that a service which runs agents records itself. */
  readonly runs: Instruments<typeof runMetrics>;
  /** The prom-client registry that holds everything. */
  readonly metrics: Registry;
  /** An OpenTelemetry tracer whose spans carry the fields of {@link Observability.context}. */
  readonly tracer: Tracer;
  /** The log. */
  readonly log: Logger;
  /** Ids that follow the work into log lines and spans. */
  readonly context: Context;
  /** Liveness, readiness and startup. */
  readonly health: Health;
  /** Pools, disks, replicas and backups to watch beside the event loop. */
  readonly process: ProcessWatch;
  /**
   * Makes the instruments of metrics of your own; see {@link defineMetric}.
   * @throws MetricDefinitionError, MetricConflictError
   */
  register<const C extends MetricCatalogue>(catalogue: C): Instruments<C>;
  /** Shows depth, oldest age, sessions and pause of a queue, from its store's counters; answers the function that ends it. */
  watchQueue(queue: WatchedQueue, options?: WatchQueueOptions): () => void;
  /** Runs before each scrape: for gauges that are read. Answers the function that ends it. */
  onCollect(name: string, collector: Collector): () => void;
  /** Shows what a provider's answer says about its quota, for calls that do not go through `aroundCall`. */
  observeQuota(provider: string, headers: HeaderReader): void;
  /** `/metrics`, `/livez`, `/readyz` and `/startupz` as a Fetch handler. */
  readonly fetchHandler: (request: Request) => Promise<Response>;
  /** Stops watching the process. */
  close(): Promise<void>;
}

/** Milliseconds after which the list of the busiest tenants is made anew. */
const topRefresh = 30_000;

/**
 * One line to see everything.
 *
 * @throws InvalidOptionError, InvalidDurationError when an option cannot be used
 * @throws MetricConflictError when the registry holds the metrics of Millrace already
 * @example
 * ```ts
 * const obs = createObservability({ service: 'shop' });
 * const queue = createQueue({ url: 'sqlite:jobs.db', jobs: [mail], instrumentation: obs.queue });
 * const response = await obs.fetchHandler(new Request('http://localhost/metrics'));
 * ```
 */
export function createObservability(options: ObservabilityOptions): Observability {
  const { service, clock = systemClock, registry = new Registry(), health: healthOptions = {} } = options;
  if (service.trim() === '') throw new InvalidOptionError('`service` must be the name of your service.');
  const context = createContext();
  const log =
    options.logger ?? createLog(service, options.log === false ? { level: 'silent' } : (options.log ?? {}), context);
  const tracing = createTracing(version, context);
  let countOverflow = (_metric: string): void => {};
  const meter = createMeter(meterOptions(options, registry, clock), (metric) => countOverflow(metric));
  const own = meter.register(processMetrics);
  countOverflow = (metric) => {
    // Where even the names of metrics are too many, counting that would overflow in its turn, without end.
    if (metric !== processMetrics.overflow.name) own.overflow.add(1, metric);
  };
  const { hotLinesPerSecond = 5 } = options.log || {};
  const events = createEventLog(log, clock, hotLinesPerSecond, (event) => own.suppressedLines.add(1, event));
  const queue = meter.register(queueMetrics);
  const topTenants = positive(options.metrics?.topTenants ?? 20, 'metrics.topTenants');
  const tenants = new TopK(topTenants, (tenant) => tenantSeries(queue, tenant));
  const parts: InstrumentParts = {
    clock,
    context,
    tracing,
    events,
    tenants,
    attemptTrace: options.traces?.attempts ?? 'link',
    bindJobs: options.log !== false && (options.log?.ids ?? options.log?.level !== 'silent'),
  };
  const rateLimit = meter.register(rateLimitMetrics);
  const health = createHealth(clock, (check, ok) => own.healthy.set(ok ? 1 : 0, check));
  const watch = watchProcess(own, meter.collectors, clock);
  own.service.set(1, service, options.version ?? 'unknown');
  keepHouse(meter, own, tenants, clock, log);
  watchLoop(health, watch, toMilliseconds(healthOptions.maxEventLoopLag ?? '10s', 'health.maxEventLoopLag'));
  const close = async (): Promise<void> => watch.stop();
  return {
    queue: queueHooks(queue, parts),
    rateLimit: rateLimitHooks(rateLimit, parts),
    workspace: workspaceHooks(meter.register(workspaceMetrics), parts),
    idempotency: idempotencyHooks(meter.register(idempotencyMetrics), parts),
    runs: meter.register(runMetrics),
    metrics: registry,
    tracer: tracing.tracer,
    log,
    context,
    health,
    process: watch,
    register: meter.register,
    watchQueue: (watched, watchOptions) => watchQueue(queue, meter.collectors, watched, watchOptions),
    onCollect: (name, collector) => meter.collectors.add(name, collector),
    observeQuota: (provider, headers) => recordQuotas(rateLimit, provider, headers),
    fetchHandler: createFetchHandler(meter.render, health),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function meterOptions(
  { metrics = {} }: ObservabilityOptions,
  registry: Registry,
  clock: Clock,
): Parameters<typeof createMeter>[0] {
  return {
    registry,
    clock,
    maxSeries: positive(metrics.maxSeries ?? 1_000, 'metrics.maxSeries'),
    ttl: toMilliseconds(metrics.seriesTtl ?? '1h', 'metrics.seriesTtl'),
    collectTimeout: toMilliseconds(metrics.collectTimeout ?? '2s', 'metrics.collectTimeout'),
  };
}

function positive(value: number, name: string): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidOptionError(`\`${name}\` must be a whole number from 1 and up, not ${String(value)}.`);
}

/** What observability does for itself before each scrape. */
function keepHouse(
  meter: Meter,
  own: Instruments<typeof processMetrics>,
  tenants: TopK<unknown>,
  clock: Clock,
  log: Logger,
): void {
  let refreshedAt = clock.monotonic();
  meter.collectors.add('observability', () => {
    for (const { name } of meter.definitions().filter(hasOpenLabels)) own.overflow.add(0, name);
    own.series.set(meter.seriesCount());
    if (clock.monotonic() - refreshedAt < topRefresh) return;
    refreshedAt = clock.monotonic();
    tenants.refresh();
  });
  meter.collectors.onError = (collector, error) => {
    own.collectErrors.add(1, collector);
    log.warn({ event: 'metrics.collect_failed', collector, err: error });
  };
}

function watchLoop(health: Health, watch: ProcessWatch, limit: number): void {
  if (limit === 0) return;
  const check = (): { ok: boolean; reason?: string } => {
    const lag = watch.eventLoopLag();
    return lag <= limit ? { ok: true } : { ok: false, reason: `The event loop stood still for ${Math.round(lag)} ms.` };
  };
  health.check('event-loop', check, { probe: 'live' });
}
