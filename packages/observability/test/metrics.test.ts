import { Counter as PromCounter, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createObservability, defineMetric, MetricConflictError, MetricDefinitionError, OTHER } from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { scrape } from './scrape.ts';

const mails = defineMetric({
  name: 'shop_mails_total',
  type: 'counter',
  unit: 'count',
  help: 'Mails.',
  labels: ['tenant', 'result'],
  values: { result: ['ok', 'failed'] },
  advice: 'Look at the mail provider.',
});

function lines(text: string, start: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(start));
}

describe('metrics', () => {
  it('counts into the series of the given labels', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const { sent } = obs.register({ sent: mails });
    sent.add(1, 'acme', 'ok');
    sent.add(2, 'acme', 'ok');
    sent.add(1, 'say "hi"\n', 'failed');
    sent.add(-5, 'acme', 'ok');
    sent.add(Number.NaN, 'acme', 'ok');
    expect(lines(await scrape(obs), 'shop_mails_total')).toEqual([
      'shop_mails_total{tenant="acme",result="ok"} 3',
      'shop_mails_total{tenant="say \\"hi\\"\\n",result="failed"} 1',
    ]);
  });

  it('checks closed labels by types, and sends what escapes them to __other__', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const { sent } = obs.register({ sent: mails });
    // @ts-expect-error 'maybe' is not one of the results
    sent.add(1, 'acme', 'maybe');
    // @ts-expect-error a label is missing
    const incomplete = (): void => sent.add(1, 'acme');
    expect(incomplete).not.toThrow();
    expect(await scrape(obs)).toContain(`shop_mails_total{tenant="acme",result="${OTHER}"} 2`);
  });

  it('has 5 s and 10 s as exact edges, inclusive', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const jobs = [5_000, 5_001, 10_000, 10_001].map((waitMs, id) => ({ id: `${id}`, name: 'n', tenant: 't', waitMs }));
    obs.queue.onClaimed({ queue: 'q', durationMs: 1, jobs });
    for (const { waitMs } of jobs) obs.runs.start.observe(waitMs / 1_000, 'agent');
    const text = await scrape(obs);
    for (const labels of [
      'millrace_queue_wait_seconds_bucket{queue="q",job_name="n"',
      'millrace_run_start_seconds_bucket{agent="agent"',
    ]) {
      expect(text).toContain(`${labels},le="5"} 1\n`);
      expect(text).toContain(`${labels},le="10"} 3\n`);
      expect(text).toContain(`${labels},le="+Inf"} 4\n`);
    }
  });

  it('keeps at most maxSeries series of open labels; the rest is one overflow series that is counted', async () => {
    await using obs = createObservability({ service: 'test', log: false, metrics: { maxSeries: 10 } });
    const { sent } = obs.register({ sent: mails });
    for (let tenant = 0; tenant < 1_000; tenant += 1) sent.add(1, `tenant-${tenant}`, 'ok');
    const text = await scrape(obs);
    expect(lines(text, 'shop_mails_total')).toHaveLength(11);
    expect(text).toContain(`shop_mails_total{tenant="${OTHER}",result="ok"} 990`);
    expect(text).toContain('millrace_metrics_overflow_total{metric="shop_mails_total"} 990');
  });

  it('counts through bound instruments as through the others: overflow, forgetting and closed labels', async () => {
    const clock = manualClock();
    const metrics = { maxSeries: 1, seriesTtl: '1h' } as const;
    await using obs = createObservability({ service: 'test', log: false, clock, metrics });
    const { sent } = obs.register({ sent: mails });
    const [first, second] = [sent.bind('a', 'ok'), sent.bind('b', 'ok')];
    // @ts-expect-error 'maybe' is not one of the results
    const unknown = sent.bind('a', 'maybe');
    expect(lines(await scrape(obs), 'shop_mails_total')).toEqual([]);
    first.add(1);
    first.add(-1);
    second.add(1);
    second.add(1);
    unknown.add(1);
    expect(lines(await scrape(obs), 'shop_mails_total')).toEqual([
      'shop_mails_total{tenant="a",result="ok"} 1',
      `shop_mails_total{tenant="${OTHER}",result="ok"} 2`,
      `shop_mails_total{tenant="${OTHER}",result="${OTHER}"} 1`,
    ]);
    // So few series are allowed that the counter of overflows overflows.
    expect(await scrape(obs)).toContain(`millrace_metrics_overflow_total{metric="${OTHER}"} 3`);
    clock.advance(3_600_000);
    expect(lines(await scrape(obs), 'shop_mails_total')).toEqual([]);
    second.add(1);
    first.add(1);
    expect(lines(await scrape(obs), 'shop_mails_total')).toEqual([
      'shop_mails_total{tenant="b",result="ok"} 1',
      `shop_mails_total{tenant="${OTHER}",result="ok"} 1`,
    ]);
  });

  it('binds histograms too', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const start = obs.runs.start.bind('agent');
    for (const seconds of [5, 11, Number.NaN]) start.observe(seconds);
    const text = await scrape(obs);
    expect(text).toContain('millrace_run_start_seconds_bucket{agent="agent",le="5"} 1\n');
    expect(text).toContain('millrace_run_start_seconds_count{agent="agent"} 2\n');
  });

  it('drops an unused series with open labels after its time, and lets new ones in again', async () => {
    const clock = manualClock();
    await using obs = createObservability({
      service: 'test',
      log: false,
      clock,
      metrics: { maxSeries: 1, seriesTtl: '1h' },
    });
    const { sent } = obs.register({ sent: mails });
    sent.add(1, 'old', 'ok');
    await scrape(obs);
    clock.advance(3_599_000);
    expect(await scrape(obs)).toContain('tenant="old"');
    clock.advance(1_000);
    expect(await scrape(obs)).not.toContain('tenant="old"');
    sent.add(7, 'new', 'ok');
    expect(await scrape(obs)).toContain('shop_mails_total{tenant="new",result="ok"} 7');
  });

  it('names the busiest tenants and sums the others', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock, metrics: { topTenants: 2 } });
    const settle = (tenant: string, count: number): void => {
      const job = { id: 'x', name: 'n', tenant, kind: 'ack', outcome: 'applied', runMs: 1 } as const;
      obs.queue.onSettled({ queue: 'q', jobs: Array.from({ length: count }, () => job) });
    };
    settle('early', 1);
    settle('second', 1);
    settle('busy', 100);
    expect(lines(await scrape(obs), 'millrace_tenant_jobs_total{')).toContain(
      `millrace_tenant_jobs_total{tenant="${OTHER}",outcome="ack"} 100`,
    );
    clock.advance(31_000);
    await scrape(obs);
    settle('busy', 5);
    for (let tenant = 0; tenant < 10_000; tenant += 1) settle(`attacker-${tenant}`, 1);
    const after = lines(await scrape(obs), 'millrace_tenant_jobs_total{');
    expect(after).toContain('millrace_tenant_jobs_total{tenant="busy",outcome="ack"} 5');
    const total = after.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
    expect(total).toBe(10_107);
    expect(after.length).toBeLessThanOrEqual(5);
  });

  it('writes OpenMetrics with exemplars, canonical edges and the end mark', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    obs.runs.start.observe(4, 'a');
    obs.runs.start.exemplify(4, 'a'.repeat(32), 'a');
    obs.runs.finished.add(1, 'succeeded');
    const text = await scrape(obs, 'application/openmetrics-text; version=1.0.0');
    expect(text).toMatch(/run_start_seconds_bucket\{agent="a",le="5\.0"\} 1 # \{trace_id="a{32}"\} 4 \d+\.\d{3}\n/);
    expect(text).toContain(
      '# TYPE millrace_runs_finished counter\nmillrace_runs_finished_total{outcome="succeeded"} 1\n',
    );
    expect(text).toContain('# UNIT millrace_run_start_seconds seconds\n');
    expect(text.endsWith('# EOF\n')).toBe(true);
    expect(await scrape(obs)).not.toContain('trace_id');
  });

  it('shares a registry with metrics of others, in both formats, again and again', async () => {
    const registry = new Registry();
    const foreign = new PromCounter({
      name: 'theirs_total',
      help: 'Theirs.',
      labelNames: ['kind'],
      registers: [registry],
    });
    foreign.inc({ kind: 'x' }, 4);
    await using obs = createObservability({ service: 'test', log: false, registry });
    obs.runs.finished.add(2, 'failed');
    for (let round = 0; round < 2; round += 1) {
      expect(await scrape(obs, 'application/openmetrics-text')).toContain(
        '# TYPE theirs counter\ntheirs_total{kind="x"} 4',
      );
      expect(await scrape(obs)).toContain('# TYPE theirs_total counter\ntheirs_total{kind="x"} 4');
    }
    const theirs = await registry.metrics();
    expect(theirs).toContain('millrace_runs_finished_total{outcome="failed"} 2');
    expect(theirs).toContain('theirs_total{kind="x"} 4');
  });

  it('refuses definitions and doubles that cannot work', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const { register } = obs;
    register({ mails });
    expect(() => register({ mails })).toThrow(MetricConflictError);
    expect(() => defineMetric({ ...mails, name: 'shop_mails' })).toThrow(MetricDefinitionError);
    expect(() => defineMetric({ ...mails, labels: ['a', 'b', 'c', 'd', 'e'] })).toThrow(/4 is the limit/);
    expect(() => defineMetric({ ...mails, name: 'x_seconds', type: 'histogram', buckets: [5, 1] })).toThrow(
      /ascending/,
    );
    expect(() => createObservability({ service: ' ' })).toThrow(/service/);
    expect(() => createObservability({ service: 'x', registry: obs.metrics })).toThrow(MetricConflictError);
    expect(() => createObservability({ service: 'x', metrics: { maxSeries: 0 } })).toThrow(/maxSeries/);
  });

  it('shows what has not happened as 0, so that the first time is an increase', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    const counts = { ready: 0, delayed: 0, leased: 0, dead: 0, waitingBytes: 0, sessions: 0 };
    obs.watchQueue({
      name: 'runs',
      inspect: { counts: async () => ({ ...counts, paused: false, oldestReadyAge: 0 }) },
    });
    const text = await scrape(obs);
    for (const line of [
      'millrace_runs_finished_total{outcome="failed"} 0',
      'millrace_mirror_healed_total 0',
      'millrace_metrics_overflow_total{metric="millrace_jobs_total"} 0',
      'millrace_lease_lost_total{queue="runs",reason="session"} 0',
    ]) {
      expect(text).toContain(line);
    }
    expect(text, 'not for labels that are open').not.toContain('millrace_jobs_total{');
  });

  it('reads a queue’s counters once per scrape, and survives a store that hangs', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    let calls = 0;
    let hangs = false;
    const counts = {
      ready: 3,
      delayed: 1,
      leased: 2,
      dead: 4,
      waitingBytes: 9,
      sessions: 1,
      paused: false,
      oldestReadyAge: 7_500,
    };
    const inspect = {
      counts: () => {
        calls += 1;
        return hangs ? new Promise<typeof counts>(() => {}) : Promise.resolve(counts);
      },
    };
    obs.watchQueue({ name: 'runs', inspect });
    await Promise.all([scrape(obs), scrape(obs)]);
    expect(calls).toBe(1);
    const text = await scrape(obs);
    expect(calls).toBe(1);
    expect(text).toContain('millrace_queue_depth{queue="runs",state="dead"} 4');
    expect(text).toContain('millrace_queue_oldest_age_seconds{queue="runs"} 7.5');
    hangs = true;
    clock.advance(1_001);
    const late = scrape(obs);
    await Promise.resolve();
    clock.advance(2_001);
    expect(await late).toContain('millrace_metrics_collect_errors_total{collector="queue runs"} 1');
  });
});
