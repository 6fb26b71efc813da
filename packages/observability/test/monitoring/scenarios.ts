/** Samples that go in, and a moment: does the alert fire then? `0+10x90` is promtool's way to write 0, 10, 20 … 900. */
export interface Scenario {
  readonly series: Readonly<Record<string, string>>;
  /** @default '15m' */
  readonly at?: string;
  /** Time between the samples, and between the evaluations. @default '1m' */
  readonly step?: '1m' | '10m';
}

/** A moment at which the alert fires, with the labels it has then, and the nearest one at which it must not. */
export interface AlertScenarios {
  readonly labels: Readonly<Record<string, string>>;
  readonly fires: Scenario;
  readonly quiet: Scenario;
}

const hours = { step: '1m', at: '75m' } as const;
const days = { step: '10m', at: '27h' } as const;

/** Of ten events per step so many are within the edge. */
function within(metric: string, label: string, edge: string, good: number): Record<string, string> {
  return {
    [`${metric}_bucket{${label}="x",le="${edge}"}`]: `0+${good}x200`,
    [`${metric}_count{${label}="x"}`]: '0+10x200',
  };
}

/** Of a thousand calls per step so many end badly. */
function ended(outcome: string, bad: number): Record<string, string> {
  return {
    [`millrace_external_requests_total{provider="x",outcome="${outcome}"}`]: `0+${bad}x200`,
    'millrace_external_requests_total{provider="x",outcome="ok"}': `0+${1_000 - bad}x200`,
    // Calls that were refused here do not make the share smaller.
    'millrace_external_requests_total{provider="x",outcome="refused"}': '0+100000x200',
  };
}

const wait = (good: number): Record<string, string> => within('millrace_queue_wait_seconds', 'queue', '5', good);
const start = (good: number): Record<string, string> => within('millrace_run_start_seconds', 'agent', '10.0', good);

const goals: Record<string, AlertScenarios> = {
  MillraceQueueWaitBurnFast: {
    labels: { queue: 'x' },
    fires: { ...hours, series: wait(2) },
    quiet: { ...hours, series: wait(8) },
  },
  MillraceQueueWaitBurnSlow: {
    labels: { queue: 'x' },
    fires: { ...days, series: wait(8) },
    quiet: { ...days, series: wait(9.6) },
  },
  MillraceRunStartBurnFast: {
    labels: { agent: 'x' },
    fires: { ...hours, series: start(2) },
    quiet: { ...hours, series: start(8) },
  },
  MillraceRunStartBurnSlow: {
    labels: { agent: 'x' },
    fires: { ...days, series: start(8) },
    quiet: { ...days, series: start(9.6) },
  },
  MillraceExternalRateLimitedBurnFast: {
    labels: { provider: 'x' },
    fires: { ...hours, series: ended('rate_limited', 150) },
    quiet: { ...hours, series: ended('rate_limited', 50) },
  },
  MillraceExternalRateLimitedBurnSlow: {
    labels: { provider: 'x' },
    fires: { ...days, series: ended('rate_limited', 40) },
    quiet: { ...days, series: ended('rate_limited', 9) },
  },
  MillraceExternalServerErrorsBurnFast: {
    labels: { provider: 'x' },
    fires: { ...hours, series: ended('server_error', 20) },
    quiet: { ...hours, series: ended('server_error', 5) },
  },
  MillraceExternalServerErrorsBurnSlow: {
    labels: { provider: 'x' },
    fires: { ...days, series: ended('server_error', 4) },
    quiet: { ...days, series: ended('server_error', 0) },
  },
};

const queue: Record<string, AlertScenarios> = {
  MillraceQueueOldestAge: {
    labels: { queue: 'q' },
    fires: {
      series: { 'millrace_queue_oldest_age_seconds{queue="q"}': '400x20', 'millrace_queue_paused{queue="q"}': '0x20' },
    },
    quiet: {
      series: { 'millrace_queue_oldest_age_seconds{queue="q"}': '400x20', 'millrace_queue_paused{queue="q"}': '1x20' },
    },
  },
  MillraceQueueNoConsumers: {
    labels: { queue: 'q' },
    fires: {
      series: { 'millrace_queue_sessions{queue="q"}': '0x20', 'millrace_queue_depth{queue="q",state="ready"}': '1x20' },
    },
    quiet: {
      series: { 'millrace_queue_sessions{queue="q"}': '0x20', 'millrace_queue_depth{queue="q",state="ready"}': '0x20' },
    },
  },
  MillraceQueuePaused: {
    labels: { queue: 'q' },
    fires: { at: '65m', series: { 'millrace_queue_paused{queue="q"}': '1x70' } },
    quiet: { at: '50m', series: { 'millrace_queue_paused{queue="q"}': '1x70' } },
  },
  MillraceDeadLettersGrow: {
    labels: { queue: 'q', job_name: 'n' },
    fires: { at: '40m', series: { 'millrace_jobs_total{queue="q",job_name="n",outcome="dead"}': '0+1x60' } },
    quiet: { at: '40m', series: { 'millrace_jobs_total{queue="q",job_name="n",outcome="ack"}': '0+1x60' } },
  },
  MillraceRedeliveryStorm: {
    labels: { queue: 'q' },
    fires: {
      at: '20m',
      series: {
        'millrace_job_redeliveries_total{queue="q",to="ready"}': '0+10x30',
        'millrace_jobs_total{queue="q",outcome="ack"}': '0+100x30',
      },
    },
    quiet: {
      at: '20m',
      series: {
        'millrace_job_redeliveries_total{queue="q",to="ready"}': '0+4x30',
        'millrace_jobs_total{queue="q",outcome="ack"}': '0+100x30',
      },
    },
  },
  MillraceLeasesLost: {
    labels: { queue: 'q', reason: 'session' },
    fires: { at: '25m', series: { 'millrace_lease_lost_total{queue="q",reason="session"}': '0+1x30' } },
    quiet: { at: '25m', series: { 'millrace_lease_lost_total{queue="q",reason="session"}': '0x10 1x20' } },
  },
  MillraceQueueStoreErrors: {
    labels: { queue: 'q', operation: 'heartbeat' },
    fires: { series: { 'millrace_queue_store_errors_total{queue="q",operation="heartbeat"}': '0+10x30' } },
    quiet: { series: { 'millrace_queue_store_errors_total{queue="q",operation="heartbeat"}': '0+1x30' } },
  },
  MillraceBackpressure: {
    labels: { queue: 'q', scope: 'tenant' },
    fires: {
      at: '25m',
      series: { 'millrace_queue_rejected_total{queue="q",scope="tenant",limit="count"}': '0+120x30' },
    },
    quiet: {
      at: '25m',
      series: { 'millrace_queue_rejected_total{queue="q",scope="tenant",limit="count"}': '0+30x30' },
    },
  },
};

const poll = 'millrace_ci_updates_total{source="poll"}';
const webhook = 'millrace_ci_updates_total{source="webhook"}';
const quota = (remaining: string): Record<string, string> => ({
  'millrace_external_quota_remaining{provider="p",resource="tokens"}': remaining,
  'millrace_external_quota_limit{provider="p",resource="tokens"}': '1000x100',
});

const external: Record<string, AlertScenarios> = {
  MillraceBreakerOpen: {
    labels: { policy: 'p', key: 'k' },
    fires: { series: { 'millrace_breaker_state{policy="p",key="k"}': '2x20' } },
    quiet: { series: { 'millrace_breaker_state{policy="p",key="k"}': '1x20' } },
  },
  MillraceBudgetBurn: {
    labels: { scope: 's' },
    fires: { at: '89m', series: { 'millrace_budget_remaining_ratio{scope="s"}': '1-0.011x90' } },
    quiet: { at: '89m', series: { 'millrace_budget_remaining_ratio{scope="s"}': '0.09x90' } },
  },
  MillraceQuotaTimeToZero: {
    labels: { provider: 'p', resource: 'tokens' },
    fires: { at: '87m', series: quota('1000x20 1000-15x70') },
    quiet: { at: '87m', series: quota('90x100') },
  },
  MillraceRateLimitStoreDown: {
    labels: { store: 'redis' },
    fires: { series: { 'millrace_ratelimit_store_up{store="redis"}': '0x20' } },
    quiet: { series: { 'millrace_ratelimit_store_up{store="redis"}': '1x20' } },
  },
  MillraceIdempotencyStoreDown: {
    labels: { store: 'redis' },
    fires: { series: { 'millrace_idempotency_store_up{store="redis"}': '0x20' } },
    quiet: { series: { 'millrace_idempotency_store_up{store="redis"}': '1x20' } },
  },
  MillraceIdempotencyTakeovers: {
    labels: { operation: 'o' },
    fires: { series: { 'millrace_idempotency_takeovers_total{operation="o"}': '0x10 1x10' } },
    quiet: { series: { 'millrace_idempotency_takeovers_total{operation="o"}': '1x20' } },
  },
  MillraceWebhooksSilent: {
    labels: {},
    fires: { at: '55m', series: { [poll]: '0+1x60', [webhook]: '0x60' } },
    quiet: { at: '55m', series: { [poll]: '0+1x60', [webhook]: '0+3x60' } },
  },
  MillraceReplicaLag: {
    labels: { replica: 'r' },
    fires: { series: { 'millrace_replica_lag_seconds{replica="r"}': '11x20' } },
    quiet: { series: { 'millrace_replica_lag_seconds{replica="r"}': '10x20' } },
  },
  MillraceSseDrops: {
    labels: { reason: 'slow' },
    fires: { at: '25m', series: { 'millrace_sse_dropped_total{reason="slow"}': '0+12x30' } },
    quiet: { at: '25m', series: { 'millrace_sse_dropped_total{reason="shutdown"}': '0+12x30' } },
  },
};

const disk = (free: string): Record<string, string> => ({
  'millrace_disk_free_bytes{instance="i",volume="data"}': free,
  'millrace_disk_size_bytes{instance="i",volume="data"}': '1000x500',
});
const prepare = (edge: string): Record<string, string> => ({
  'millrace_workspace_prepare_seconds_bucket{le="30"}': edge === '30' ? '0+10x100' : '0x100',
  'millrace_workspace_prepare_seconds_bucket{le="60"}': '0+10x100',
  'millrace_workspace_prepare_seconds_bucket{le="+Inf"}': '0+10x100',
});

const machine: Record<string, AlertScenarios> = {
  MillraceDiskForecast: {
    labels: { instance: 'i', volume: 'data' },
    fires: { at: '7h', series: disk('700-1x500') },
    quiet: { at: '7h', series: disk('300x500') },
  },
  MillraceCheckoutsFail: {
    labels: { code: 'ERR_WORKSPACE_AUTH' },
    fires: { at: '25m', series: { 'millrace_workspace_checkout_failures_total{code="ERR_WORKSPACE_AUTH"}': '0+1x30' } },
    quiet: {
      at: '25m',
      series: { 'millrace_workspace_checkout_failures_total{code="ERR_WORKSPACE_AUTH"}': '0x15 1x20' },
    },
  },
  MillraceClonesSlow: {
    labels: {},
    fires: { at: '70m', series: prepare('60') },
    quiet: { at: '70m', series: prepare('30') },
  },
  MillraceNotReady: {
    labels: { instance: 'i', check: 'database' },
    fires: { series: { 'millrace_health_check_ok{instance="i",check="database"}': '0x20' } },
    quiet: { series: { 'millrace_health_check_ok{instance="i",check="database"}': '0x12 1x10' } },
  },
  MillraceEventLoopBlocked: {
    labels: { instance: 'i' },
    fires: { series: { 'millrace_event_loop_lag_seconds{instance="i",stat="p99"}': '0.3x20' } },
    quiet: { series: { 'millrace_event_loop_lag_seconds{instance="i",stat="max"}': '0.3x20' } },
  },
  MillracePoolWaits: {
    labels: { instance: 'i', pool: 'main' },
    fires: { series: { 'millrace_pg_pool_waiting{instance="i",pool="main"}': '6x20' } },
    quiet: { series: { 'millrace_pg_pool_waiting{instance="i",pool="main"}': '5x20' } },
  },
  MillraceBackupOld: {
    labels: { what: 'postgres' },
    fires: { series: { 'millrace_backup_age_seconds{what="postgres"}': '86401x20' } },
    quiet: { series: { 'millrace_backup_age_seconds{what="postgres"}': '86400x20' } },
  },
  MillraceMetricsOverflow: {
    labels: { metric: 'm' },
    fires: { at: '25m', series: { 'millrace_metrics_overflow_total{metric="m"}': '0+1x30' } },
    quiet: { at: '25m', series: { 'millrace_metrics_overflow_total{metric="m"}': '7x30' } },
  },
  MillraceCollectErrors: {
    labels: { collector: 'queue q' },
    fires: { at: '25m', series: { 'millrace_metrics_collect_errors_total{collector="queue q"}': '0+1x30' } },
    quiet: { at: '25m', series: { 'millrace_metrics_collect_errors_total{collector="queue q"}': '0x15 1x15' } },
  },
  MillraceAbsent: {
    labels: {},
    fires: { series: { up: '1x20' } },
    quiet: { series: { 'millrace_service_info{service="s"}': '1x20' } },
  },
};

/** Two moments per alert. */
export const scenarios: Readonly<Record<string, AlertScenarios>> = { ...goals, ...queue, ...external, ...machine };
