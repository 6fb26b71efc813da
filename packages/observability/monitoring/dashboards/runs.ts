import { type DashboardPlan, perSecond, quantile } from './panel.ts';

/** Runs of agents, what CI says of them, and who watches. */
export const runs: DashboardPlan = {
  uid: 'millrace-runs',
  title: 'Millrace / Runs',
  description: 'Runs of agents: phases and ends, news of CI, live viewers, money.',
  rows: [
    {
      title: 'Runs',
      panels: [
        {
          title: 'Runs by state',
          unit: 'short',
          queries: [{ expr: 'max by (state) (millrace_runs_active)', legend: '{{state}}' }],
        },
        {
          title: 'Finished',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_runs_finished_total', 'outcome'), legend: '{{outcome}}' }],
        },
        {
          title: 'Start of runs by agent, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_run_start_seconds', 'agent'), legend: '{{agent}}' }],
        },
        {
          title: 'Time per phase, p50',
          unit: 's',
          queries: [{ expr: quantile(0.5, 'millrace_run_phase_seconds', 'phase'), legend: '{{phase}}' }],
        },
        {
          title: 'Time per phase, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_run_phase_seconds', 'phase'), legend: '{{phase}}' }],
        },
        {
          title: 'Cost of models per hour',
          unit: 'currencyUSD',
          queries: [
            {
              expr: '3600 * sum by (provider, model) (rate(millrace_llm_cost_usd_total[$__rate_interval]))',
              legend: '{{provider}} {{model}}',
            },
          ],
        },
      ],
    },
    {
      title: 'CI',
      panels: [
        {
          title: 'Deliveries of the forge by result',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_webhooks_total', 'result'), legend: '{{result}}' }],
        },
        {
          title: 'Delay of deliveries, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_webhook_delay_seconds'), legend: 'p95' }],
        },
        {
          title: 'Wait for checks, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_ci_wait_seconds', 'source'), legend: '{{source}}' }],
        },
      ],
    },
    {
      title: 'Live events',
      panels: [
        {
          title: 'Viewers',
          unit: 'short',
          queries: [{ expr: 'sum by (instance) (millrace_sse_clients)', legend: '{{instance}}' }],
        },
        {
          title: 'Streams that were ended',
          unit: 'ops',
          queries: [{ expr: perSecond('millrace_sse_dropped_total', 'reason'), legend: '{{reason}}' }],
        },
        {
          title: 'From stored to shown, p95',
          unit: 's',
          queries: [{ expr: quantile(0.95, 'millrace_relay_lag_seconds'), legend: 'p95' }],
        },
      ],
    },
  ],
};
