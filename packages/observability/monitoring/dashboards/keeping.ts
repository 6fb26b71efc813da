import { type DashboardPlan, perSecond, quantile, quantiles } from './panel.ts';

/** Workspaces and the disk. */
export const workspaces: DashboardPlan = {
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
              expr: '(sum(rate(millrace_workspace_prepare_seconds_count{warm="true"}[$__rate_interval])) or vector(0)) / sum(rate(millrace_workspace_prepare_seconds_count[$__rate_interval]))',
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

/** Duplicates and replays. */
export const idempotency: DashboardPlan = {
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

/** Processes. */
export const workers: DashboardPlan = {
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
