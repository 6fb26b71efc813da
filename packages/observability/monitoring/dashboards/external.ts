import { type DashboardPlan, perSecond, quantile, share } from './panel.ts';

/** Calls to providers. */
export const external: DashboardPlan = {
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
