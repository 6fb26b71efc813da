import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startPrometheus, waitFor } from '@millrace/test-support';
import { expect, it } from 'vitest';
import { dashboardPlans } from '../../monitoring/dashboards/plans.ts';
import { allMetrics, createObservability, defineMetric } from '../../src/index.ts';
import { underLoad } from './load.ts';

const questions = dashboardPlans.flatMap(({ title, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap((panel) => panel.queries.map(({ expr }) => ({ panel: `${title}: ${panel.title}`, expr }))),
  ),
);

it('answers every panel of every dashboard when a real Prometheus scrapes a service under load', {
  timeout: 300_000,
}, async () => {
  await using obs = createObservability({ service: 'example', log: false, metrics: { maxSeries: 50 } });
  const { greedy } = obs.register({
    greedy: defineMetric({
      name: 'example_greedy_total',
      type: 'counter',
      unit: 'count',
      help: 'Overflows.',
      labels: ['id'],
      advice: 'None.',
    }),
  });
  await using _load = await underLoad(obs);
  let id = 0;
  const overflowing = setInterval(() => {
    for (let i = 0; i < 100; i += 1) greedy.add(1, `id-${id++}`);
  }, 50);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const headers = { accept: request.headers.accept ?? '' };
    const found = await obs.fetchHandler(new Request(`http://localhost${request.url}`, { headers }));
    response.writeHead(found.status, Object.fromEntries(found.headers)).end(await found.text());
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await using prometheus = await startPrometheus({
      target: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      rules: join(import.meta.dirname, '..', '..', 'rules', 'millrace.yml'),
    });
    let silent = questions;
    const allAnswer = async (): Promise<boolean> => {
      const answers = await Promise.all(
        silent.map(async (question) => ({
          question,
          // A window that a run of seconds fills; a share of nothing is NaN and no answer.
          found: await prometheus.query(question.expr.replaceAll('$__rate_interval', '10s')),
        })),
      );
      silent = answers
        .filter(({ found }) => !found.some(({ value: [, value] }) => value !== 'NaN'))
        .map(({ question }) => question);
      return silent.length === 0;
    };
    await waitFor(allAnswer, { timeout: 120_000, interval: 1_000, what: 'data for every panel' }).catch(() => {});
    expect(silent).toEqual([]);
    const names = (await prometheus.get('/api/v1/label/__name__/values')) as readonly string[];
    const catalogued = new Set(allMetrics.map(({ name }) => name));
    const strangers = names
      .filter((name) => name.startsWith('millrace_'))
      .map((name) => (catalogued.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')))
      .filter((name) => !catalogued.has(name));
    expect(strangers).toEqual([]);
    const range = `start=${Date.now() / 1_000 - 300}&end=${Date.now() / 1_000 + 10}`;
    const exemplars = await prometheus.get(`/api/v1/query_exemplars?query=millrace_run_start_seconds_bucket&${range}`);
    expect(JSON.stringify(exemplars)).toContain('c'.repeat(32));
  } finally {
    clearInterval(overflowing);
    server.close();
    server.closeAllConnections();
  }
});
