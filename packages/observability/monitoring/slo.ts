import type { Alert, Recording } from './alert.ts';

/** A goal as a share of good events, with what its alerts need to say. */
export interface Slo {
  /** Part of the recorded names. */
  readonly id: string;
  /** Part of the alerts' names. */
  readonly title: string;
  /** The goal, in words. */
  readonly goal: string;
  /** Share of events that may be bad. */
  readonly budget: number;
  readonly by: string;
  /** Share of bad events in a window, by `by`. */
  readonly errors: (window: string) => string;
  readonly impact: string;
  readonly look: readonly string[];
  readonly act: readonly string[];
}

/** Share of a histogram's observations above an edge. `le` is "5" in Prometheus' text and "5.0" in OpenMetrics and Prometheus 3. */
function slower(metric: string, edge: number, by: string): (window: string) => string {
  return (window) =>
    `1 - sum by (${by}) (rate(${metric}_bucket{le=~"${edge}|${edge}.0"}[${window}])) / sum by (${by}) (rate(${metric}_count[${window}]))`;
}

/** Share of the calls to a provider that ended so; calls that never left (`refused`) do not count. */
function calls(outcome: string): (window: string) => string {
  const metric = 'millrace_external_requests_total';
  return (window) =>
    `sum by (provider) (rate(${metric}{outcome="${outcome}"}[${window}])) / sum by (provider) (rate(${metric}{outcome!="refused"}[${window}]))`;
}

/** The goals of the project. */
export const slos: readonly Slo[] = [
  {
    id: 'queue_wait',
    title: 'QueueWait',
    goal: '95 % of jobs are claimed within 5 s of being ready',
    budget: 0.05,
    by: 'queue',
    errors: slower('millrace_queue_wait_seconds', 5, 'queue'),
    impact: 'Jobs start late; everything that waits for them is late too.',
    look: [
      '`millrace_queue_depth` and `millrace_queue_sessions`: is there work without workers, or more work than before?',
      '`millrace_job_run_seconds`: have handlers become slower, so that slots are free less often?',
      '`millrace_tenant_wait_seconds`: does only one tenant wait? Then it has met its quota, and all is as configured.',
      '`millrace_queue_store_call_seconds`: is the store slow?',
    ],
    act: [
      'Add workers or raise their concurrency.',
      'Lower the weight or the quota of the tenant that fills the queue.',
    ],
  },
  {
    id: 'run_start',
    title: 'RunStart',
    goal: '95 % of runs have their agent started within 10 s',
    budget: 0.05,
    by: 'agent',
    errors: slower('millrace_run_start_seconds', 10, 'agent'),
    impact: 'People wait before anything of their run is to be seen.',
    look: [
      '`millrace_run_phase_seconds` of `queue` and `clone`: which of the two has grown?',
      '`millrace_workspace_prepare_seconds` by `warm`: are workspaces prepared cold?',
      '`millrace_git_waiting`: do git processes wait for a slot?',
    ],
    act: [
      'For the queue: see MillraceQueueWaitBurnFast.',
      'For the clone: prefetch the repositories in use, and enlarge the pool.',
    ],
  },
  {
    id: 'external_rate_limited',
    title: 'ExternalRateLimited',
    goal: 'less than 1 % of the calls to a provider are answered with 429',
    budget: 0.01,
    by: 'provider',
    errors: calls('rate_limited'),
    impact: 'Calls are repeated later; runs take longer and quota is wasted.',
    look: [
      '`millrace_external_quota_limit`: has the provider lowered the quota?',
      '`millrace_external_rate_factor_ratio`: how far has the adaptive rate gone down?',
      'Does somebody else use the same account or key?',
    ],
    act: [
      'Set the configured limit to what the provider really gives.',
      'Give other users of the account a key of their own.',
    ],
  },
  {
    id: 'external_server_errors',
    title: 'ExternalServerErrors',
    goal: 'less than 0.1 % of the calls to a provider end with a 5xx',
    budget: 0.001,
    by: 'provider',
    errors: calls('server_error'),
    impact: 'Runs are repeated or parked while the provider is ill.',
    look: [
      'The status page of the provider.',
      '`millrace_breaker_state`: has the breaker opened?',
      'The traces of failing calls: one model or endpoint, or all?',
    ],
    act: ['Switch to the fallback provider or model.', 'Hold back admission until it recovers.'],
  },
];

/** Windows of the burn-rate alerts. */
const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;

/** Name of the recorded share of bad events. */
export function recordName({ id, by }: Slo, window: string): string {
  return `${by}:millrace_${id}_errors:ratio_rate${window}`;
}

/** Recording rules of all goals: each alert and panel reads seven stored numbers and not days of samples. */
export const recordings: readonly Recording[] = slos.flatMap((slo) =>
  windows.map((window) => ({ record: recordName(slo, window), expr: slo.errors(window) })),
);

/**
 * Two alerts per goal, each over a long and a short window, so that it fires early and stops soon: burn rates 14.4 and 6
 * page, 3 and 1 make a ticket (Google SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts").
 */
export const sloAlerts: readonly Alert[] = slos.flatMap((slo) => [
  burnAlert(slo, 'Fast', 'page', '2m', [
    { rate: 14.4, long: '1h', short: '5m' },
    { rate: 6, long: '6h', short: '30m' },
  ]),
  burnAlert(slo, 'Slow', 'ticket', '15m', [
    { rate: 3, long: '1d', short: '2h' },
    { rate: 1, long: '3d', short: '6h' },
  ]),
]);

function burnAlert(
  slo: Slo,
  speed: 'Fast' | 'Slow',
  severity: Alert['severity'],
  holds: string,
  pairs: readonly { readonly rate: number; readonly long: string; readonly short: string }[],
): Alert {
  const over = (rate: number, window: string): string =>
    `${recordName(slo, window)} > ${Number((rate * slo.budget).toFixed(6))}`;
  return {
    name: `Millrace${slo.title}Burn${speed}`,
    severity,
    for: holds,
    expr: pairs.map(({ rate, long, short }) => `(${over(rate, long)} and ${over(rate, short)})`).join(' or '),
    summary: `{{ $labels.${slo.by} }} misses its goal (${slo.goal}): {{ $value | humanizePercentage }} are bad.`,
    impact: slo.impact,
    look: slo.look,
    act: slo.act,
  };
}
