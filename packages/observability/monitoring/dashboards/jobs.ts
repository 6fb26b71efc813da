import { type DashboardPlan, perSecond, quantile, quantiles } from './panel.ts';

/** Jobs and their workers. */
export const queue: DashboardPlan = {
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

/** The busiest tenants. */
export const tenants: DashboardPlan = {
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
