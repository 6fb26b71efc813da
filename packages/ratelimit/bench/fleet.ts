import type { FakeProviderStats } from '@millrace/ratelimit/testing';
import { startRedis } from '@millrace/test-support';
import { Child, sleep } from './child.ts';
import { account, speed } from './fleet/model.ts';
import { alone, type Bench, type Result, share } from './result.ts';

interface Counts {
  readonly calls: number;
  readonly failed: number;
  readonly errors: Record<string, number>;
}

interface Outcome {
  readonly attempts: number;
  readonly throttled: number;
  /** Share of the quota in its most used dimension. */
  readonly used: number;
  readonly failed: number;
}

interface Snapshot {
  readonly stats: FakeProviderStats;
  readonly at: number;
}

const processes = 4;
const agentsPerProcess = 16;

/** 64 agents in 4 processes against the fake provider over HTTP, `speed` times faster than life, after a warm-up. */
async function simulate(strategy: 'millrace' | 'sdk', others: number, seconds: number): Promise<Outcome> {
  await using redis = await startRedis({ own: true });
  await using provider = new Child('fleet/provider-process.ts', [String(others)]);
  const { url } = await provider.message<{ url: string }>();
  const agents = Array.from(
    { length: processes },
    () => new Child('fleet/agents-process.ts', [url, redis.url, String(agentsPerProcess), strategy]),
  );
  try {
    await sleep(warmUpMs);
    const before = await provider.ask<Snapshot>('stats');
    const failedBefore = await failures(agents);
    await sleep(seconds * 1_000);
    const after = await provider.ask<Snapshot>('stats');
    return outcome(before, after, (await failures(agents)) - failedBefore, others);
  } finally {
    for (const child of agents) await child[Symbol.asyncDispose]();
  }
}

/** Real milliseconds: starting four processes, and the first virtual minute or so. */
const warmUpMs = 8_000;

async function failures(agents: readonly Child[]): Promise<number> {
  const counts = await Promise.all(agents.map((agent) => agent.ask<Counts>('stats')));
  for (const { errors } of counts) if (Object.keys(errors).length > 0) console.error('failed calls:', errors);
  return counts.reduce((sum, { failed }) => sum + failed, 0);
}

function outcome(before: Snapshot, after: Snapshot, failed: number, others: number): Outcome {
  const virtualMinutes = ((after.at - before.at) * speed) / 60_000;
  const shares = Object.entries(account).map(([name, limit]) => {
    const used = (after.stats.used[name] ?? 0) - (before.stats.used[name] ?? 0);
    return used / (limit * (1 - others) * virtualMinutes);
  });
  const count = (status: number): number => (after.stats.byStatus[status] ?? 0) - (before.stats.byStatus[status] ?? 0);
  return { attempts: count(200) + count(429), throttled: count(429), used: Math.max(...shares), failed };
}

const percent = (part: number, whole: number): number => (100 * part) / Math.max(1, whole);

export const fleet: Bench = {
  metrics: ['fleet.429', 'fleet.used', 'fleet.hostile.429', 'fleet.hostile.failed', 'fleet.hostile.used'],
  async run({ quick }): Promise<Result[]> {
    const seconds = quick ? 12 : 30;
    const calm = await simulate('millrace', 0, seconds);
    const hostile = await simulate('millrace', 0.3, seconds);
    const sdk = await simulate('sdk', 0, quick ? 4 : 15);
    console.error('fleet', { calm, hostile, sdk });
    return [
      share(
        'fleet.429',
        percent(calm.throttled, calm.attempts),
        percent(sdk.throttled, sdk.attempts),
        'SDK retries with Retry-After',
        '% of attempts',
      ),
      alone('fleet.used', 100 * calm.used, '% of the quota'),
      alone('fleet.hostile.429', percent(hostile.throttled, hostile.attempts), '% of attempts'),
      alone('fleet.hostile.failed', hostile.failed, 'calls'),
      alone('fleet.hostile.used', 100 * hostile.used, '% of what others leave'),
    ];
  },
};
