import { describe, expect, it } from 'vitest';
import { createObservability, type Observability } from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { scrape } from './scrape.ts';

async function probe(obs: Observability, path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await obs.fetchHandler(new Request(`http://localhost${path}`));
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('health', () => {
  it('is ready until a check fails, and then says why, without secrets', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    let failure: Error | undefined;
    obs.health.check('database', () => {
      if (failure) throw failure;
    });
    obs.health.check('disk', () => ({ ok: true }));
    expect((await probe(obs, '/readyz')).status).toBe(200);
    failure = new Error('connect to postgres://user:hunter2@db failed');
    expect((await probe(obs, '/readyz')).status).toBe(200); // one answer serves all probes of a second
    clock.advance(1_000);
    const { status, body } = await probe(obs, '/readyz');
    expect(status).toBe(503);
    expect(body.reasons).toEqual(['database: connect to postgres://[redacted]@db failed']);
    expect((await probe(obs, '/livez')).status).toBe(200);
    const metrics = await scrape(obs);
    expect(metrics).toContain('millrace_health_check_ok{check="database"} 0');
  });

  it('does not wait for a check that hangs, and asks a hanging one once', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    let aborted = false;
    let calls = 0;
    const hang = (signal: AbortSignal): Promise<void> => {
      calls += 1;
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => {});
    };
    obs.health.check('redis', hang, { timeout: '500ms' });
    const probes = [probe(obs, '/readyz'), probe(obs, '/readyz')];
    await new Promise(setImmediate);
    clock.advance(501);
    for (const { status, body } of await Promise.all(probes)) {
      expect(status).toBe(503);
      expect(body.reasons).toEqual(['redis: check redis took longer than 500 ms.']);
    }
    expect([calls, aborted]).toEqual([1, true]);
  });

  it('has started when all startup checks have passed once', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    let migrated = false;
    obs.health.check('migrations', () => migrated, { probe: 'startup' });
    expect((await probe(obs, '/startupz')).status).toBe(503);
    migrated = true;
    clock.advance(1_000);
    expect((await probe(obs, '/startupz')).status).toBe(200);
    migrated = false;
    clock.advance(1_000);
    expect((await probe(obs, '/startupz')).status).toBe(200);
  });

  it('says no while it drains, with the reason', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    obs.health.drain('SIGTERM');
    expect(await probe(obs, '/readyz')).toMatchObject({ status: 503, body: { reasons: ['draining: SIGTERM'] } });
    expect((await probe(obs, '/livez')).status).toBe(200);
  });

  it('is not live when the event loop stood still', async () => {
    await using obs = createObservability({ service: 'test', log: false, health: { maxEventLoopLag: 100 } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const until = performance.now() + 400;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { status, body } = await probe(obs, '/livez');
    expect(status).toBe(503);
    expect(String(body.reasons)).toMatch(/event-loop: The event loop stood still for \d+ ms/);
  });

  it('answers only what it is for', async () => {
    await using obs = createObservability({ service: 'test', log: false });
    expect((await probe(obs, '/elsewhere')).status).toBe(404);
    const posted = await obs.fetchHandler(new Request('http://localhost/metrics', { method: 'POST' }));
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await obs.fetchHandler(new Request('http://localhost/livez', { method: 'HEAD' }));
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect(() => obs.health.check('event-loop', () => {})).toThrow(/already/);
  });
});
