import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dashboardPlans } from '../../monitoring/dashboards/plans.ts';
import { generatedFiles } from '../../monitoring/files.ts';
import { alerts } from '../../monitoring/rules.ts';
import { recordings } from '../../monitoring/slo.ts';
import { allMetrics, defineMetric } from '../../src/index.ts';
import { problemsOf } from './promql.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');

describe('the check itself sees', () => {
  it.each([
    ['sum(rate(millrace_jobs_total[5m])', /does not parse/],
    ['rate(millrace_nothing_total[5m])', /not in the catalogue/],
    ['millrace_job_run_seconds', /not in the catalogue/],
    ['rate(millrace_jobs_total{colour="red"}[5m])', /no label colour/],
    ['rate(millrace_jobs_total{outcome="done"}[5m])', /outcome is never done/],
    ['rate(millrace_jobs_total{outcome=~"ack|done"}[5m])', /outcome is never done/],
    ['sum by (tenant) (rate(millrace_jobs_total[5m]))', /groups by tenant/],
    ['1 + 1', /names no metric/],
  ])('%s', (expr, problem) => {
    expect(problemsOf(expr).join()).toMatch(problem);
  });
});

describe('every expression parses and names only what the catalogue has', () => {
  it.each(recordings.map(({ record, expr }) => [record, expr]))('recording %s', (_record, expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });
  it.each(alerts.map(({ name, expr }) => [name, expr]))('alert %s', (_name, expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });
  it.each(
    dashboardPlans.flatMap(({ title, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap((panel) => panel.queries.map(({ expr }) => [`${title}: ${panel.title}`, expr] as const)),
      ),
    ),
  )('%s', (_title, expr) => {
    expect(problemsOf(expr)).toEqual([]);
  });
});

describe('files', () => {
  it.each([...generatedFiles()])('%s is what the tables say (npm run generate)', (path, text) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  });

  it('has a runbook per alert and no other', () => {
    const pages = readdirSync(join(root, 'docs/operations/runbooks')).filter((file) => file.startsWith('Millrace'));
    expect(pages.sort()).toEqual(alerts.map(({ name }) => `${name}.md`).sort());
    expect(existsSync(join(root, 'docs/operations/runbooks/README.md'))).toBe(true);
  });
});

describe('catalogue', () => {
  it('has no name twice, and every definition can be used', () => {
    expect(new Set(allMetrics.map(({ name }) => name)).size).toBe(allMetrics.length);
    for (const metric of allMetrics) expect(() => defineMetric(metric)).not.toThrow();
  });

  it('has units and labels that Prometheus does not give a second meaning', () => {
    for (const { name, unit, labels } of allMetrics) {
      if (['seconds', 'bytes', 'ratio'].includes(unit)) expect(name).toMatch(new RegExp(`_${unit}(_total)?$`));
      // `job` and `instance` are Prometheus' own: ours would be renamed to exported_job.
      expect(labels.filter((label) => ['job', 'instance', 'le'].includes(label))).toEqual([]);
    }
  });
});
