import { recordName, slos } from '../slo.ts';
import { type DashboardPlan, type Panel, perSecond, quantile, quantiles, share } from './panel.ts';

const goals: readonly Panel[] = slos.map((slo) => ({
  title: `Bad events, 1 h: ${slo.title}`,
  unit: 'percentunit',
  kind: 'stat',
  width: 6,
  queries: [{ expr: recordName(slo, '1h'), legend: `{{${slo.by}}}` }],
}));

const overview: DashboardPlan = {
  uid: 'millrace-overview',
  title: 'Millrace / Overview',
  description: 'Are the goals met, and if not, where does it hurt?',
  rows: [
    { title: 'Goals', panels: goals },
    {
      title: 'Flow',
      panels: [
        {
          title: 'Jobs waiting',
          unit: 'short',
          queries: [{ expr: 'max by (queue) (millrace_queue_depth{state="ready"})', legend: '{{queue}}' }],
        },
        {
          title: 'Oldest ready job',
          unit: 's',
          queries: [{ expr: 'max by (queue) (millrace_queue_oldest_age_seconds)', legend: '{{queue}}' }],
        },
        {
          title: 'Attempts by outcome',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_jobs_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          title: 'Runs by state',
          unit: 'short',
          queries: [{ expr: 'max by (state) (millrace_runs_active)', legend: '{{state}}' }],
        },
        {
          title: 'Runs finished',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_runs_finished_total', 'outcome'), legend: '{{outcome}}' }],
        },
        { title: 'Start of runs', unit: 's', queries: quantiles('millrace_run_start_seconds') },
        {
          title: 'Time per phase, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_run_phase_seconds', 'phase'), legend: '{{phase}}' }],
        },
        {
          title: 'CI: news by source',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_ci_updates_total', 'source'), legend: '{{source}}' }],
        },
        { title: 'Live viewers', unit: 'short', queries: [{ expr: 'sum(millrace_sse_clients)', legend: 'clients' }] },
      ],
    },
  ],
};

const queue: DashboardPlan = {
  uid: 'millrace-queue',
  title: 'Millrace / Queue',
  description: 'Depth, waiting, running, and what goes wrong with leases.',
  rows: [
    {
      title: 'Waiting',
      panels: [
        {
          title: 'Jobs per state',
          unit: 'short',
          queries: [{ expr: 'max by (queue, state) (millrace_queue_depth)', legend: '{{queue}} {{state}}' }],
        },
        { title: 'Wait for a worker', unit: 's', queries: quantiles('millrace_queue_wait_seconds') },
        {
          title: 'Payload bytes waiting',
          unit: 'bytes',
          queries: [{ expr: 'max by (queue) (millrace_queue_waiting_bytes)', legend: '{{queue}}' }],
        },
        {
          title: 'Enqueued',
          unit: 'ops',
          queries: [
            { expr: perSecond('millrace_queue_enqueued_total', 'queue, status'), legend: '{{queue}} {{status}}' },
          ],
        },
        {
          title: 'Refused by backpressure',
          unit: 'ops',
          queries: [
            { expr: perSecond('millrace_queue_rejected_total', 'scope, limit'), legend: '{{scope}} {{limit}}' },
          ],
        },
        {
          title: 'Worker sessions',
          unit: 'short',
          queries: [{ expr: 'max by (queue) (millrace_queue_sessions)', legend: '{{queue}}' }],
        },
      ],
    },
    {
      title: 'Running',
      panels: [
        {
          title: 'Run time, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_job_run_seconds', 'job_name'), legend: '{{job_name}}' }],
        },
        {
          title: 'Failed attempts by class',
          unit: 'ops',
          queries: [
            { expr: perSecond('millrace_jobs_total{error_class!="none"}', 'error_class'), legend: '{{error_class}}' },
          ],
        },
        {
          title: 'Dead letters',
          unit: 'short',
          queries: [{ expr: 'max by (queue) (millrace_queue_depth{state="dead"})', legend: '{{queue}}' }],
        },
        {
          title: 'Redeliveries',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_job_redeliveries_total', 'queue, to'), legend: '{{queue}} to {{to}}' }],
        },
        {
          title: 'Leases lost',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_lease_lost_total', 'queue, reason'), legend: '{{queue}} {{reason}}' }],
        },
        {
          title: 'Store calls, p95',
          unit: 's',
          queries: [
            { expr: quantile(0.95, 'millrace_queue_store_call_seconds', 'operation'), legend: '{{operation}}' },
          ],
        },
      ],
    },
  ],
};

const tenants: DashboardPlan = {
  uid: 'millrace-tenants',
  title: 'Millrace / Tenants',
  description: 'The busiest tenants; the others together are __other__.',
  rows: [
    {
      title: 'Busiest',
      panels: [
        {
          title: 'Attempts',
          unit: 'ops',
          width: 12,
          queries: [{ expr: perSecond('millrace_tenant_jobs_total', 'tenant'), legend: '{{tenant}}' }],
        },
        {
          title: 'Share of the work',
          unit: 'percentunit',
          width: 12,
          queries: [
            {
              expr: `${perSecond('millrace_tenant_jobs_total', 'tenant')} / ignoring(tenant) group_left sum(rate(millrace_tenant_jobs_total[$__rate_interval]))`,
              legend: '{{tenant}}',
            },
          ],
        },
        {
          title: 'Wait, p95',
          unit: 's',
          width: 12,
          queries: [{ expr: quantile(0.95, 'millrace_tenant_wait_seconds', 'tenant'), legend: '{{tenant}}' }],
        },
        {
          title: 'Refused',
          unit: 'ops',
          width: 12,
          queries: [{ expr: perSecond('millrace_tenant_rejected_total', 'tenant'), legend: '{{tenant}}' }],
        },
      ],
    },
  ],
};

const external: DashboardPlan = {
  uid: 'millrace-external',
  title: 'Millrace / External APIs',
  description: 'Calls to providers: how they end, what they cost, what holds them back.',
  rows: [
    {
      title: 'Calls',
      panels: [
        {
          title: 'Calls by outcome',
          unit: 'ops',
          queries: [
            {
              expr: perSecond('millrace_external_requests_total', 'provider, outcome'),
              legend: '{{provider}} {{outcome}}',
            },
          ],
        },
        {
          title: 'Answered with 429',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                'millrace_external_requests_total{outcome="rate_limited"}',
                'millrace_external_requests_total',
                'provider',
              ),
              legend: '{{provider}}',
            },
          ],
        },
        {
          title: 'Duration, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_external_request_seconds', 'provider'), legend: '{{provider}}' }],
        },
        {
          title: 'Quota left',
          unit: 'percentunit',
          queries: [
            {
              expr: 'min by (provider, resource) (millrace_external_quota_remaining / millrace_external_quota_limit)',
              legend: '{{provider}} {{resource}}',
            },
          ],
        },
        {
          title: 'Retries by class',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_external_retries_total', 'error_class'), legend: '{{error_class}}' }],
        },
        {
          title: 'Response cache hits',
          unit: 'percentunit',
          queries: [
            {
              expr: share(
                'millrace_response_cache_requests_total{outcome=~"hit|stale|joined"}',
                'millrace_response_cache_requests_total',
                'policy',
              ),
              legend: '{{policy}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Held back',
      panels: [
        {
          title: 'Wait for a slot, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_ratelimit_wait_seconds', 'policy'), legend: '{{policy}}' }],
        },
        {
          title: 'Refused here',
          unit: 'ops',
          queries: [
            { expr: perSecond('millrace_ratelimit_refused_total', 'policy, code'), legend: '{{policy}} {{code}}' },
          ],
        },
        {
          title: 'Breakers (0 closed, 1 half-open, 2 open)',
          unit: 'short',
          queries: [{ expr: 'max by (policy, key) (millrace_breaker_state)', legend: '{{policy}} {{key}}' }],
        },
        {
          title: 'Permits held and waited for',
          unit: 'short',
          queries: [
            { expr: 'sum by (policy) (millrace_semaphore_held)', legend: '{{policy}} held' },
            { expr: 'sum by (policy) (millrace_semaphore_waiting)', legend: '{{policy}} waiting' },
            { expr: 'sum by (policy) (millrace_semaphore_limit)', legend: '{{policy}} limit' },
          ],
        },
        {
          title: 'Rate in use after throttling',
          unit: 'percentunit',
          queries: [{ expr: 'min by (policy) (millrace_external_rate_factor_ratio)', legend: '{{policy}}' }],
        },
      ],
    },
    {
      title: 'Money',
      panels: [
        {
          title: 'Tokens',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_llm_tokens_total', 'model, type'), legend: '{{model}} {{type}}' }],
        },
        {
          title: 'Spent per hour',
          unit: 'currencyUSD',
          queries: [
            {
              expr: '3600 * sum by (scope) (rate(millrace_budget_settled_usd_total[$__rate_interval]))',
              legend: '{{scope}}',
            },
          ],
        },
        {
          title: 'Budget left',
          unit: 'percentunit',
          queries: [{ expr: 'min by (scope) (millrace_budget_remaining_ratio)', legend: '{{scope}}' }],
        },
      ],
    },
  ],
};

const workspaces: DashboardPlan = {
  uid: 'millrace-workspaces',
  title: 'Millrace / Workspaces',
  description: 'Preparing workspaces, the git processes behind it, and the disk.',
  rows: [
    {
      title: 'Preparing',
      panels: [
        { title: 'Prepare', unit: 's', queries: quantiles('millrace_workspace_prepare_seconds') },
        {
          title: 'Warm',
          unit: 'percentunit',
          queries: [
            {
              expr: 'sum(rate(millrace_workspace_prepare_seconds_count{warm="true"}[$__rate_interval])) / sum(rate(millrace_workspace_prepare_seconds_count[$__rate_interval]))',
              legend: 'warm',
            },
          ],
        },
        {
          title: 'Failures',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_workspace_checkout_failures_total', 'code'), legend: '{{code}}' }],
        },
        {
          title: 'Network operations, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_mirror_fetch_seconds', 'kind'), legend: '{{kind}}' }],
        },
        {
          title: 'Git processes',
          unit: 'short',
          queries: [
            { expr: 'sum(millrace_git_processes)', legend: 'running' },
            { expr: 'sum(millrace_git_waiting)', legend: 'waiting' },
          ],
        },
        {
          title: 'Workspaces',
          unit: 'short',
          queries: [
            { expr: 'sum(millrace_workspaces)', legend: 'live' },
            { expr: 'sum(millrace_workspace_pool_ready)', legend: 'ready in the pool' },
          ],
        },
      ],
    },
    {
      title: 'Disk',
      panels: [
        {
          title: 'Free',
          unit: 'percentunit',
          width: 12,
          queries: [
            {
              expr: 'min by (instance, volume) (millrace_disk_free_bytes / millrace_disk_size_bytes)',
              legend: '{{instance}} {{volume}}',
            },
          ],
        },
        {
          title: 'Evicted',
          unit: 'bytes',
          width: 12,
          queries: [{ expr: perSecond('millrace_workspace_evicted_bytes_total', 'kind'), legend: '{{kind}}' }],
        },
      ],
    },
  ],
};

const idempotency: DashboardPlan = {
  uid: 'millrace-idempotency',
  title: 'Millrace / Idempotency',
  description: 'Duplicates, replays, take-overs.',
  rows: [
    {
      title: 'Calls',
      panels: [
        {
          title: 'By outcome',
          unit: 'ops',
          width: 12,
          queries: [
            {
              expr: perSecond('millrace_idempotency_total', 'operation, outcome'),
              legend: '{{operation}} {{outcome}}',
            },
          ],
        },
        {
          title: 'Replays, p95',
          unit: 's',
          width: 12,
          queries: [{ expr: quantile(0.95, 'millrace_idempotency_seconds', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          title: 'Take-overs and lost leases',
          unit: 'ops',
          width: 12,
          queries: [
            {
              expr: perSecond('millrace_idempotency_takeovers_total', 'operation'),
              legend: '{{operation}} taken over',
            },
            { expr: perSecond('millrace_idempotency_lease_lost_total', 'operation'), legend: '{{operation}} lost' },
          ],
        },
        {
          title: 'Stores (1 = up)',
          unit: 'short',
          width: 12,
          queries: [{ expr: 'min by (store) (millrace_idempotency_store_up)', legend: '{{store}}' }],
        },
      ],
    },
  ],
};

const workers: DashboardPlan = {
  uid: 'millrace-workers',
  title: 'Millrace / Workers',
  description: 'Processes: event loop, memory, garbage collection, pools, and the observability itself.',
  rows: [
    {
      title: 'Process',
      panels: [
        {
          title: 'Versions',
          unit: 'short',
          kind: 'stat',
          queries: [{ expr: 'count by (service, version) (millrace_service_info)', legend: '{{service}} {{version}}' }],
        },
        {
          title: 'Event-loop lag, p99',
          unit: 's',
          queries: [
            { expr: 'max by (instance) (millrace_event_loop_lag_seconds{stat="p99"})', legend: '{{instance}}' },
          ],
        },
        {
          title: 'Event-loop utilisation',
          unit: 'percentunit',
          queries: [{ expr: 'max by (instance) (millrace_event_loop_utilization_ratio)', legend: '{{instance}}' }],
        },
        {
          title: 'Memory',
          unit: 'bytes',
          queries: [
            { expr: 'max by (instance, kind) (millrace_process_memory_bytes)', legend: '{{instance}} {{kind}}' },
          ],
        },
        {
          title: 'Garbage collection',
          unit: 'percentunit',
          queries: [
            {
              expr: 'sum by (instance, kind) (rate(millrace_gc_seconds_sum[$__rate_interval]))',
              legend: '{{instance}} {{kind}}',
            },
          ],
        },
        {
          title: 'Pools: busy and waiting',
          unit: 'short',
          queries: [
            { expr: 'sum by (pool) (millrace_pool_connections{state="busy"})', legend: '{{pool}} busy' },
            { expr: 'sum by (pool) (millrace_pg_pool_waiting)', legend: '{{pool}} waiting' },
          ],
        },
      ],
    },
    {
      title: 'Health and metrics',
      panels: [
        {
          title: 'Checks (1 = well)',
          unit: 'short',
          queries: [{ expr: 'min by (instance, check) (millrace_health_check_ok)', legend: '{{instance}} {{check}}' }],
        },
        {
          title: 'Series',
          unit: 'short',
          queries: [{ expr: 'max by (instance) (millrace_metrics_series)', legend: '{{instance}}' }],
        },
        {
          title: 'Overflow',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_metrics_overflow_total', 'metric'), legend: '{{metric}}' }],
        },
      ],
    },
  ],
};

/** All dashboards. */
export const dashboardPlans: readonly DashboardPlan[] = [
  overview,
  queue,
  tenants,
  external,
  workspaces,
  idempotency,
  workers,
];
