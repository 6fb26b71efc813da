import {
  budget,
  bulkhead,
  circuitBreaker,
  memoryStore,
  rateLimit,
  responseCache,
  retry,
  type Store,
  timeout,
  wrap,
} from '@millrace/ratelimit';
import { postgresStore } from '@millrace/ratelimit/postgres';
import { redisStore } from '@millrace/ratelimit/redis';
import { startPostgres, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, it } from 'vitest';
import { Steps, steppingClock, steppingStore } from './support/stepping.ts';

/** No store is that slow, and no timer of a call that long: the timers that watch over the store are left out of the count. */
const storeTimeout = 20_000;
const budgetLease = 9_000;
const nobody = { release: [], renew: [], acquire: [] };

/** Every policy that holds something, over one store, in a state in which each of them has to wait once. */
function bench(real: Store, name: string) {
  const steps = new Steps();
  const locks = new Set<string>();
  const clock = steppingClock(steps, storeTimeout / 2);
  const store = steppingStore(real, steps, locks);
  const common = { clock, store, storeTimeout, name };
  const limits = [
    { limit: 40, per: '1s', burst: 1, mode: 'mirror', name: 'spacing' },
    { limit: 100, per: '1d', mode: 'mirror', name: 'day' },
  ] as const;
  const seen = { admitted: 0 };
  const instrumentation = { onAdmitted: () => (seen.admitted += 1) };
  const limit = rateLimit({ ...common, limits, key: name, onStoreDown: 'closed', instrumentation });
  const permits = bulkhead({ ...common, limit: 1, onStoreDown: 'closed' });
  const scopes = [{ name: 'all', cap: 1_000_000 }];
  const spend = budget({ ...common, scopes, estimate: () => 100, account: name, lease: budgetLease });
  const breaker = circuitBreaker({ ...common, freshness: 0, openFor: 1 });
  const cache = responseCache({ ...common, key: ({ key }) => key, ttl: 1 });
  const call = wrap(
    cache,
    spend,
    retry({ clock, maxAttempts: 3, budget: false, backoff: () => 5 }),
    breaker,
    limit,
    permits,
    timeout('5s', { clock }),
  );
  return { steps, locks, clock, limit, permits, spend, call, seen };
}

/** Calls a function that fails once and succeeds then, and aborts at step `at`. Answers whether it came that far. */
async function abortedRun(real: Store, name: string, at: number): Promise<boolean> {
  const { steps, locks, clock, limit, permits, spend, call, seen } = bench(real, name);
  await real.circuits.open(`${name}/default`, 1);
  const blocker = await permits.acquire();
  await limit.acquire(); // the next one has to wait
  const before = (await limit.stats()).remaining.day as number;
  const controller = new AbortController();
  let calls = 0;
  const fn = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
    calls += 1;
    steps.step();
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    if (calls === 1) throw Object.assign(new Error('busy'), { status: 503 });
    return 'done';
  };
  steps.arm(at, () => controller.abort(new Error('gone')));
  const outcome = call(fn, { signal: controller.signal }).then(
    () => 'done',
    (error: Error) => error.message,
  );
  await waitFor(() => steps.taken >= at || permits.line().length > 0);
  blocker.release();
  const ended = await outcome;
  const hit = steps.taken >= at;
  if (!hit) expect(ended).toBe('done');
  const settled = (what: string, condition: () => boolean | Promise<boolean>): Promise<boolean> =>
    waitFor(condition, { what: `${what} (${JSON.stringify({ name, at, hit, ended, calls })})` });
  await settled('no timer to be left', () => clock.waiting() === 0);
  await settled('no line to be left', () => limit.line().length + permits.line().length === 0);
  await settled('no permit to be held here', () => permits.stats().held + permits.stats().waiting === 0);
  await settled('no permit to be held in the store', async () => {
    const { held, waiting } = await real.permits.exchange(`${name}/default`, { limit: 1, leaseMs: 1_000, ...nobody });
    return held + waiting === 0;
  });
  await settled('no money to be held', async () => (await spend.status())[0]?.held === 0);
  // Whoever is aborted before its slot has come gives it back; behind it, in the bulkhead's line, the slot is used.
  await settled('slots to be given back', async () => {
    return before - ((await limit.stats()).remaining.day ?? 0) === seen.admitted - 1;
  });
  for (const key of locks) await settled('the lock to be free', () => real.cache.lock(key, 'other', 1_000));
  const { state } = await real.circuits.read(`${name}/default`);
  if (state === 'closed') return hit;
  await settled('the place of the probe to be free', async () => {
    const { granted } = await real.circuits.probe(`${name}/default`, 'other', 1, 1_000);
    return granted;
  });
  return hit;
}

async function abortEverywhere(store: Store): Promise<void> {
  let at = 1;
  while (await abortedRun(store, `abort-${at}`, at)) at += 1;
  expect(at).toBeGreaterThan(20);
}

it('an abort at any await leaves nothing behind: memory', () => abortEverywhere(memoryStore()));

it('an abort at any await leaves nothing behind: Redis', async () => {
  await using server = await startRedis({ own: true });
  const redis = new Redis(server.url);
  await abortEverywhere(redisStore({ redis }));
  redis.disconnect();
}, 60_000);

it('an abort at any await leaves nothing behind: PostgreSQL', async () => {
  await using server = await startPostgres();
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: 4 });
  pool.on('error', () => {});
  try {
    const store = postgresStore({ pool });
    await store.migrate();
    await abortEverywhere(store);
  } finally {
    await pool.end();
  }
}, 60_000);
