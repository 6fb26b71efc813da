import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PrometheusPrograms, prometheusPrograms, temporaryDirectory } from '@millrace/test-support';
import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { alerts, groupOrder } from '../../monitoring/rules.ts';
import { createObservability } from '../../src/index.ts';
import { scrape } from '../scrape.ts';
import { type Scenario, scenarios } from './scenarios.ts';

const run = promisify(execFile);
const rules = join(import.meta.dirname, '..', '..', 'rules', 'millrace.yml');

let programs: PrometheusPrograms;
beforeAll(async () => {
  programs = await prometheusPrograms();
}, 300_000);

/**
 * Runs scenarios through `promtool test rules`; rejects with its report when one does not hold. Left to itself, promtool
 * takes the groups of a file in a random order; alerts taken before the recordings find samples of the step before, which
 * at a step of 10 minutes are stale.
 */
async function promtool(
  cases: readonly { readonly name: string; readonly scenario: Scenario; readonly fires: boolean }[],
): Promise<void> {
  await using folder = await temporaryDirectory('promtool');
  for (const step of ['1m', '10m'] as const) {
    const tests = cases.filter(({ scenario }) => (scenario.step ?? '1m') === step).map(toTest);
    const file = join(folder.path, `${step}.yml`);
    const setting = { rule_files: [rules], evaluation_interval: step, group_eval_order: groupOrder };
    await writeFile(file, stringify({ ...setting, tests }));
    if (tests.length > 0) await run(programs.promtool, ['test', 'rules', file], { maxBuffer: 1e8 });
  }
}

function toTest({ name, scenario, fires }: { name: string; scenario: Scenario; fires: boolean }): object {
  const labels = {
    alertname: name,
    alertstate: 'firing',
    ...scenarios[name]?.labels,
    severity: alerts.find((alert) => alert.name === name)?.severity,
  };
  const text = Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(',');
  return {
    interval: scenario.step ?? '1m',
    input_series: Object.entries(scenario.series).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: `ALERTS{alertname="${name}",alertstate="firing"}`,
        eval_time: scenario.at ?? '15m',
        exp_samples: fires ? [{ labels: `ALERTS{${text}}`, value: 1 }] : [],
      },
    ],
  };
}

describe('alerts', () => {
  it('have a scenario each, and no scenario is without an alert', () => {
    expect(Object.keys(scenarios).sort()).toEqual(alerts.map(({ name }) => name).sort());
  });

  it('pass promtool check rules', async () => {
    const { stdout } = await run(programs.promtool, ['check', 'rules', '--lint=all', '--lint-fatal', rules]);
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  });

  it('fire when they should', { timeout: 120_000 }, async () => {
    await promtool(Object.entries(scenarios).map(([name, { fires }]) => ({ name, scenario: fires, fires: true })));
  });

  it('do not fire when they should not', { timeout: 120_000 }, async () => {
    await promtool(Object.entries(scenarios).map(([name, { quiet }]) => ({ name, scenario: quiet, fires: false })));
  });

  it('are really judged: a scenario that is turned round fails', async () => {
    const [[name, { fires, quiet }] = ['', { fires: { series: {} }, quiet: { series: {} } }]] =
      Object.entries(scenarios);
    await expect(promtool([{ name, scenario: quiet, fires: true }])).rejects.toThrow(/FAILED|expr/);
    await expect(promtool([{ name, scenario: fires, fires: false }])).rejects.toThrow(/FAILED|expr/);
  });
});

it('writes text that promtool check metrics finds nothing to say about', async () => {
  await using obs = createObservability({ service: 'test', log: false });
  obs.queue.onClaimed({ queue: 'q', durationMs: 3, jobs: [{ id: '1', name: 'n', tenant: 't', waitMs: 5 }] });
  const text = await scrape(obs);
  const child = run(programs.promtool, ['check', 'metrics']);
  child.child.stdin?.end(text);
  const { stderr } = await child;
  expect(stderr).toBe('');
});
