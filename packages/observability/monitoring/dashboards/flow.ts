import { recordName, slos } from '../slo.ts';
import { type DashboardPlan, type Panel, perSecond, quantile, quantiles } from './panel.ts';

const goals: readonly Panel[] = slos.map((slo) => ({
  title: `Bad events, 1 h: ${slo.title}`,
  unit: 'percentunit',
  kind: 'stat',
  width: 6,
  queries: [{ expr: recordName(slo, '1h'), legend: `{{${slo.by}}}` }],
}));

/** Are the goals met, and if not, where does it hurt? */
export const overview: DashboardPlan = {
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
