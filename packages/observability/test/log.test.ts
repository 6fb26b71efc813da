import { runCode } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';
import { createObservability, REDACTED, redact } from '../src/index.ts';
import { capturedLines } from './captured.ts';
import { manualClock } from './manual-clock.ts';
import { scrape } from './scrape.ts';

const secrets = {
  anthropic: `sk-ant-api03-${'a'.repeat(24)}`,
  openai: `sk-proj-${'b'.repeat(24)}`,
  github: `ghp_${'c'.repeat(36)}`,
  fineGrained: `github_pat_${'d'.repeat(30)}`,
  google: `AIza${'e'.repeat(35)}`,
  aws: `AKIA${'F'.repeat(16)}`,
  slack: 'xoxb-1234567890-abcdef',
  jwt: `eyJhbGciOiJI.${'g'.repeat(20)}.${'h'.repeat(20)}`,
};

describe('log', () => {
  it('writes JSON with the ids of the work, through awaits', async () => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out } });
    await obs.context.run({ runId: 'run-1', tenant: 'acme' }, async () => {
      await Promise.resolve();
      obs.log.child({ part: 'worker' }).info({ event: 'run.started' }, 'started');
    });
    obs.log.info('outside');
    expect(out.lines[0]).toMatchObject({
      level: 'info',
      service: 'test',
      run_id: 'run-1',
      tenant: 'acme',
      part: 'worker',
      event: 'run.started',
    });
    expect(out.lines[1]).not.toHaveProperty('run_id');
  });

  it('gives the lines of a handler the ids of its job', async () => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out } });
    const info = { id: 'j1', jobId: 'j1', name: 'n', tenant: 'acme', queue: 'q', attempt: 2, fence: 5, waitMs: 1 };
    await obs.queue.aroundAttempt(info, async () => obs.log.info('working'));
    expect(out.lines[0]).toMatchObject({ job_id: 'j1', queue: 'q', attempt: 2, tenant: 'acme' });
  });

  it('leaves the ids of jobs out on request, and keeps those that the service binds itself', async () => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out, ids: false } });
    const info = { id: 'j1', jobId: 'j1', name: 'n', tenant: 'acme', queue: 'q', attempt: 2, fence: 5, waitMs: 1 };
    await obs.queue.aroundAttempt(info, async () => {
      obs.log.info('working');
      await obs.context.run({ runId: 'run-1' }, async () => obs.log.info('working'));
    });
    expect(out.lines[0]).not.toHaveProperty('job_id');
    expect(out.lines[1]).toMatchObject({ run_id: 'run-1' });
    expect(out.lines[1]).not.toHaveProperty('job_id');
  });

  it('spares the queue its wrapping where there is neither an SDK nor an id to bind', async () => {
    await using silent = createObservability({ service: 'test', log: false });
    await using speaking = createObservability({ service: 'test', log: { destination: capturedLines() } });
    expect([silent.queue.skipsAround(), speaking.queue.skipsAround()]).toEqual([true, false]);
  });

  it.each(Object.entries(secrets))('takes out a key of the shape of %s wherever it stands', async (_name, secret) => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out } });
    obs.log.info({ deep: { list: [`x ${secret} y`] }, err: new Error(`failed with ${secret}`) }, `message ${secret}`);
    expect(out.text()).not.toContain(secret);
    expect(out.lines).toHaveLength(1);
  });

  it.each([
    [{ headers: { Authorization: 'Basic dXNlcjpwYXNz' } }],
    [{ headers: { 'x-api-key': 'dXNlcjpwYXNz' } }],
    [{ headers: { 'set-cookie': ['session=dXNlcjpwYXNz; Path=/'] } }],
    [{ githubToken: 'dXNlcjpwYXNz' }],
    [{ password: 'dXNlcjpwYXNz \\" quoted' }],
    [{ url: 'https://user:dXNlcjpwYXNz@github.com/a/b.git' }],
    [{ url: 'https://dXNlcjpwYXNz@github.com/a/b.git' }],
    [{ url: 'https://example.com/?a=1&access_token=dXNlcjpwYXNz&b=2' }],
    [{ body: JSON.stringify({ client_secret: 'dXNlcjpwYXNz' }) }],
    [{ text: 'Authorization: Bearer dXNlcjpwYXNz' }],
  ])('takes the secret out of %j and leaves valid JSON', async (fields) => {
    const out = capturedLines();
    await using obs = createObservability({ service: 'test', log: { destination: out } });
    obs.log.info({ before: 'kept', ...fields, after: 'kept' });
    expect(out.text()).not.toContain('dXNlcjpwYXNz');
    expect(out.text()).toContain(REDACTED);
    expect(out.lines[0]).toMatchObject({ before: 'kept', after: 'kept' });
  });

  it('leaves what is no secret alone', () => {
    const line =
      '{"tokens":12,"token_type":"input","url":"https://github.com/a/b","msg":"the secret of success","sha":"0123abcd"}';
    expect(redact(line)).toBe(line);
  });

  it('reads a long line in time that grows with its length only', () => {
    const line = `{"a":"${'"token'.repeat(20_000)}${'https://'.repeat(20_000)}"}`;
    const fast = (text: string): number => {
      const from = performance.now();
      redact(text);
      return performance.now() - from;
    };
    fast(line);
    // A backtracking pattern would take minutes here; the bound only tells seconds from minutes.
    expect(fast(line)).toBeLessThan(10_000);
  });

  it('samples hot events and tells how many it left out', async () => {
    const out = capturedLines();
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', clock, log: { destination: out, hotLinesPerSecond: 3 } });
    const error = { queue: 'q', operation: 'heartbeat', error: new Error('gone') } as const;
    for (let i = 0; i < 10; i += 1) obs.queue.onStoreError(error);
    expect(out.lines).toHaveLength(3);
    clock.advance(1_000);
    obs.queue.onStoreError(error);
    expect(out.lines[3]).toMatchObject({ event: 'queue.store_error', suppressed: 7 });
    const metrics = await scrape(obs);
    expect(metrics).toContain('millrace_log_lines_suppressed_total{event="queue.store_error"} 7');
  });

  it('writes lines for people on request, without secrets', { timeout: 60_000 }, async () => {
    const { stdout } = await runCode(
      `import { createObservability } from '@millrace/observability';
       const obs = createObservability({ service: 'shop', log: { pretty: true } });
       await obs.context.run({ runId: 'run-1' }, async () => obs.log.warn({ event: 'mail.late', token: 'hunter2' }, 'late'));
       await obs.close();`,
      import.meta.dirname,
    );
    expect(stdout).toMatch(/^\[[\d:.]+\] .*WARN.*: .*late/);
    expect(stdout).toMatch(/run_id.*: .*"run-1"/);
    expect(stdout).not.toContain('hunter2');
  });
});
