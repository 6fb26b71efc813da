import { bulkhead, circuitBreaker, rateLimit, retry, timeout, wrap } from '@millrace/ratelimit';
import * as cockatiel from 'cockatiel';
import Opossum from 'opossum';
import { RateLimiterMemory, RateLimiterUnion } from 'rate-limiter-flexible';
import { sleep } from './child.ts';
import { interleaved, nanosPerCall } from './loop.ts';
import { alone, type Bench, faster, type Result, share } from './result.ts';

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

/** Bytes and idle CPU of 5 000 breakers that were called once each; CPU is what they cost over a process that holds none. */
async function idleBreakers(rounds: number): Promise<Result[]> {
  const keys = 5_000;
  const fn = async (): Promise<number> => 1;
  const makers = {
    none: async () => ({}),
    ours: async () => {
      const call = wrap(circuitBreaker());
      for (let i = 0; i < keys; i++) await call(fn, { key: `key-${i}` });
      return { held: call };
    },
    peer: async () => {
      const breakers = Array.from({ length: keys }, () => new Opossum(fn, { timeout: false }));
      for (const breaker of breakers) await breaker.fire();
      return {
        held: breakers,
        end: () => {
          for (const breaker of breakers) breaker.shutdown();
        },
      };
    },
  };
  const bytes = { none: 0, ours: 0, peer: 0 };
  const cpu = await interleaved(rounds, {
    none: () => idleCpu(keys, makers.none, bytes, 'none'),
    ours: () => idleCpu(keys, makers.ours, bytes, 'ours'),
    peer: () => idleCpu(keys, makers.peer, bytes, 'peer'),
  });
  const over = (percent: number): number => Math.max(0, percent - cpu.none);
  const name = 'opossum, one per key';
  return [
    share('breaker.idle', bytes.ours, bytes.peer, name, 'bytes per key'),
    share('breaker.idle.cpu', over(cpu.ours), over(cpu.peer), name, '% of a core, over an idle process'),
    alone('breaker.idle.floor', cpu.none, '% of a core, an idle process'),
  ];
}

interface Held {
  readonly held?: unknown;
  readonly end?: () => void;
}

/** Percent of a core that this process uses while it holds what `make` made and does nothing; notes its bytes per key. */
async function idleCpu<Name extends string>(
  keys: number,
  make: () => Promise<Held>,
  bytes: Record<Name, number>,
  name: Name,
): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const kept = await make();
  globalThis.gc?.();
  bytes[name] = (process.memoryUsage().heapUsed - before) / keys;
  await sleep(500);
  const cpuBefore = process.cpuUsage();
  await sleep(3_000);
  const { user, system } = process.cpuUsage(cpuBefore);
  kept.end?.();
  return (100 * (user + system)) / 3_000_000;
}

export const local: Bench = {
  metrics: ['local.limit2', 'local.stack', 'breaker.idle', 'breaker.idle.cpu', 'breaker.idle.floor'],
  async run({ quick }) {
    const calls = quick ? 100_000 : 500_000;
    return [await limitOfTwo(calls), await stack(calls / 5), ...(await idleBreakers(quick ? 1 : 5))];
  },
};
