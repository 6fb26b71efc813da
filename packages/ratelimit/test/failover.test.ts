import { budget, bulkhead, circuitBreaker, rateLimit, type Store, wrap } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { startRedisCluster, startRedisSentinel, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, it } from 'vitest';

/** Every policy that shares state; a store that is down is answered by this process, except where money is concerned. */
function policies(store: Store, name: string) {
  const common = { store, name, storeTimeout: 2_000 };
  const limit = rateLimit({ ...common, key: name, limits: [{ limit: 1_000, per: '1h', burst: 100 }] });
  const permits = bulkhead({ ...common, limit: 4, lease: '1s' });
  const spend = budget({ ...common, account: name, scopes: [{ name: 'all', cap: 1_000_000 }], estimate: () => 10 });
  const call = wrap(circuitBreaker(common), limit, permits);
  return { limit, permits, spend, call };
}

/** Works with the policies, breaks the server, and sees that calls go on all the while and the shared state works again. */
async function survives(store: Store, name: string, breakIt: () => Promise<void>): Promise<void> {
  const { limit, permits, spend, call } = policies(store, name);
  await (await spend.reserve({})).settle(7);
  let going = true;
  const outcomes: unknown[] = [];
  const caller = async (): Promise<void> => {
    while (going) {
      outcomes.push(await call(async () => 'done').catch((error: unknown) => error));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const callers = [caller(), caller()];
  await waitFor(() => outcomes.length > 10);
  const before = outcomes.length;
  await breakIt();
  // The store answers again, and with the state that a replica had.
  await waitFor(
    async () => {
      const [status] = await spend.status().catch(() => []);
      return status?.spent === 7;
    },
    { timeout: 30_000, what: 'the books to be back' },
  );
  await waitFor(async () => (await limit.stats().catch(() => undefined)) !== undefined);
  going = false;
  await Promise.all(callers);
  expect(outcomes.length).toBeGreaterThan(before);
  expect(outcomes.filter((outcome) => outcome !== 'done' && !isRefusal(outcome))).toEqual([]);
  await waitFor(async () => (await store.permits.exchange(`${name}/default`, nobody)).held === 0);
  expect(permits.stats()).toMatchObject({ held: 0, waiting: 0 });
}

const nobody = { limit: 4, leaseMs: 1_000, release: [], renew: [], acquire: [] };

/** A limit that has run out is an answer; a failure of Redis would be none. */
function isRefusal(outcome: unknown): boolean {
  return outcome instanceof Error && 'code' in outcome && outcome.code === 'ERR_RATE_LIMITED';
}

/** The replica has everything that was written: its first synchronisation may take seconds. */
function replicated(master: Redis): Promise<unknown> {
  return waitFor(async () => (await master.wait(1, 1_000)) === 1, { timeout: 30_000, what: 'the replica to follow' });
}

it('a failover by Sentinel: calls go on, the books are kept', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await survives(redisStore({ redis: client }), 'sentinel', async () => {
    await replicated(client);
    await sentinel.master.crash();
  });
  client.disconnect();
});

it('a node of a Cluster fails: its replica takes over', { timeout: 60_000 }, async () => {
  await using cluster = await startRedisCluster({ nodes: 6 });
  const client = new Cluster([...cluster.nodes], { redisOptions: { maxRetriesPerRequest: 0 } });
  client.on('error', () => undefined);
  await survives(redisStore({ redis: client }), 'cluster', async () => {
    const slot = Number(await client.cluster('KEYSLOT', 'millrace:ledger:{cluster}:x'));
    const node = cluster.servers[Math.floor((slot * 3) / 16_384)];
    const master = new Redis(node?.url ?? '');
    await replicated(master);
    master.disconnect();
    await node?.crash();
  });
  client.disconnect();
});
