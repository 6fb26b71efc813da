import { bulkhead, circuitBreaker, rateLimit, retry, timeout, wrap } from '@millrace/ratelimit';
import * as cockatiel from 'cockatiel';
import Opossum from 'opossum';
import { RateLimiterMemory, RateLimiterUnion } from 'rate-limiter-flexible';
import { interleaved, nanosPerCall } from './loop.ts';
import { type Bench, faster, type Result, share } from './result.ts';

const many = 1_000_000_000;

/** The same two limits, checked in this process. */
async function limitOfTwo(calls: number): Promise<Result> {
  const gate = rateLimit({
    limits: [
      { limit: many, per: '1m', burst: many, mode: 'mirror' },
      { limit: many, per: '1h', burst: many, mode: 'mirror', name: 'hour' },
    ],
  }).gate();
  const union = new RateLimiterUnion(
    new RateLimiterMemory({ keyPrefix: 'a', points: many, duration: 60 }),
    new RateLimiterMemory({ keyPrefix: 'b', points: many, duration: 3_600 }),
  );
  const times = await interleaved(5, {
    ours: () =>
      nanosPerCall(calls, (n) => {
        for (let i = 0; i < n; i++) void gate.take();
      }),
    peer: () =>
      nanosPerCall(calls / 5, async (n) => {
        for (let i = 0; i < n; i++) await union.consume('k');
      }),
  });
  return faster('local.limit2', times.ours, times.peer, 'rate-limiter-flexible union (memory)', 'ns');
}

/** The whole stack around an empty call, each minus the bare call. */
async function stack(calls: number): Promise<Result> {
  const fn = async (): Promise<number> => 1;
  const ours = wrap(
    retry(),
    circuitBreaker(),
    rateLimit({
      limits: [
        { limit: many, per: '1m', burst: many, mode: 'mirror' },
        { limit: many, per: '1h', burst: many, mode: 'mirror', name: 'hour' },
      ],
    }),
    bulkhead({ limit: 100 }),
    timeout('10m'),
  );
  const peer = cockatiel.wrap(
    cockatiel.retry(cockatiel.handleAll, { maxAttempts: 3, backoff: new cockatiel.ExponentialBackoff() }),
    cockatiel.circuitBreaker(cockatiel.handleAll, {
      halfOpenAfter: 10_000,
      breaker: new cockatiel.SamplingBreaker({ threshold: 0.5, duration: 30_000 }),
    }),
    cockatiel.bulkhead(100, 100),
    cockatiel.timeout(600_000, cockatiel.TimeoutStrategy.Cooperative),
  );
  const times = await interleaved(5, {
    bare: () =>
      nanosPerCall(calls, async (n) => {
        for (let i = 0; i < n; i++) await fn();
      }),
    ours: () =>
      nanosPerCall(calls, async (n) => {
        for (let i = 0; i < n; i++) await ours(fn);
      }),
    peer: () =>
      nanosPerCall(calls, async (n) => {
        for (let i = 0; i < n; i++) await peer.execute(fn);
      }),
  });
  return share(
    'local.stack',
    times.ours - times.bare,
    times.peer - times.bare,
    'cockatiel wrap(retry, breaker, bulkhead, timeout), no limits',
    'ns over a bare call',
  );
}

/** Bytes and idle CPU of 5 000 breakers that were called once each. */
async function idleBreakers(): Promise<Result[]> {
  const keys = 5_000;
  const fn = async (): Promise<number> => 1;
  const ours = await idleCost(keys, async () => {
    const call = wrap(circuitBreaker());
    for (let i = 0; i < keys; i++) await call(fn, { key: `key-${i}` });
    return call;
  });
  const peer = await idleCost(keys, async () => {
    const breakers = Array.from({ length: keys }, () => new Opossum(fn, { timeout: false }));
    for (const breaker of breakers) await breaker.fire();
    return {
      breakers,
      dispose: () =>
        breakers.forEach((breaker) => {
          breaker.shutdown();
        }),
    };
  });
  return [
    share('breaker.idle', ours.bytes, peer.bytes, 'opossum, one per key', 'bytes per key'),
    share('breaker.idle.cpu', ours.cpu, peer.cpu, 'opossum, one per key', '% of a core'),
  ];
}

async function idleCost(keys: number, make: () => Promise<object>): Promise<{ bytes: number; cpu: number }> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const kept = await make();
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / keys;
  const cpuBefore = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const { user, system } = process.cpuUsage(cpuBefore);
  if ('dispose' in kept && typeof kept.dispose === 'function') kept.dispose();
  return { bytes, cpu: (100 * (user + system)) / 3_000_000 };
}

export const local: Bench = {
  metrics: ['local.limit2', 'local.stack', 'breaker.idle', 'breaker.idle.cpu'],
  async run({ quick }) {
    const calls = quick ? 100_000 : 500_000;
    return [await limitOfTwo(calls), await stack(calls / 5), ...(await idleBreakers())];
  },
};
