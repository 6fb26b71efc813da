import { setTimeout as sleep } from 'node:timers/promises';
import { startRedisCluster, startRedisSentinel, waitFor } from '@millrace/test-support';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { redisAdapter } from '../../src/redis.ts';
import { type Mill, openMill } from '../faults/mill.ts';

const quiet = { onWarning: () => undefined };

/** Jobs enqueued one after another, and the longest time in which none was accepted. */
interface Stream {
  readonly ids: string[];
  readonly gap: () => number;
  stop(): Promise<void>;
}

function produce(mill: Mill): Stream {
  const ids: string[] = [];
  let going = true;
  let longest = 0;
  const run = async (): Promise<void> => {
    for (let part = 0; going; part += 1) {
      const from = performance.now();
      ids.push(...(await mill.enqueueAll(5, `part-${part}`)));
      longest = Math.max(longest, performance.now() - from);
      await sleep(5);
    }
  };
  const running = run();
  return {
    ids,
    gap: () => Math.round(longest),
    stop: () => {
      going = false;
      return running;
    },
  };
}

async function isEmpty({ queue }: Mill): Promise<boolean> {
  const { ready, delayed, leased } = await queue.inspect.counts();
  return ready + delayed + leased === 0;
}

/** Says what a failover has cost. */
function report(what: string, { ledger }: Mill, ids: readonly string[]): { readonly lost: number } {
  const lost = ids.filter((id) => !ledger.runs.has(id)).length;
  const again = [...ledger.runs.values()].filter((times) => times > 1).length;
  console.info(`${what}: of ${ids.length} accepted jobs ${lost} lost, ${again} run again`);
  return { lost };
}

test('a failover by Sentinel: with durability wait nothing accepted is lost', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, durability: 'wait', ...quiet }));
  const ids = await mill.enqueueAll(300);
  const worker = mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  await waitFor(() => mill.ledger.runs.size > 20);
  await sentinel.master.crash();
  await mill.untilDone(ids, 40_000);
  expect(report('Sentinel, durability wait', mill, ids).lost).toBe(0);
  expect(worker.health().status).toBe('ok');
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});

test('a failover by Sentinel under load: writes go on, and what was lost is counted', { timeout: 60_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const client = new Redis({ sentinels: [...sentinel.sentinels], name: sentinel.name, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, ...quiet }));
  mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  const stream = produce(mill);
  await waitFor(() => mill.ledger.runs.size > 20, { timeout: 20_000 });
  await sentinel.master.crash();
  const before = stream.ids.length;
  await waitFor(() => stream.ids.length > before + 50, { timeout: 40_000, what: 'writes after the failover' });
  await stream.stop();
  await waitFor(() => isEmpty(mill), { timeout: 40_000, what: 'the queue to be empty' });
  const { lost } = report(`Sentinel, durability server, no write for ${stream.gap()} ms`, mill, stream.ids);
  expect(lost).toBeLessThan(stream.ids.length);
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});

// An election of Redis itself may take longer than the limit on a busy machine: tried again then.
test('a node of a Cluster fails: its replica takes over, the worker goes on', {
  timeout: 90_000,
  retry: 2,
}, async () => {
  await using cluster = await startRedisCluster({ nodes: 6 });
  const client = new Cluster([...cluster.nodes], { redisOptions: { maxRetriesPerRequest: 0 } });
  client.on('error', () => undefined);
  const slot = Number(await client.cluster('KEYSLOT', 'millrace:{default:0}:q'));
  const owner = cluster.servers[Math.floor((slot * 3) / 16_384)];
  await using mill = openMill(redisAdapter({ client, ...quiet }));
  const ids = await mill.enqueueAll(300);
  // Replication is asynchronous: a replica that has not got the jobs cannot go on with them.
  const direct = new Redis(owner?.url ?? '');
  await direct.set('{default:0}', 'written after the jobs');
  expect(await direct.wait(1, 30_000)).toBeGreaterThan(0);
  direct.disconnect();
  mill.startWorker({ concurrency: 5, handler: () => sleep(10) });
  await waitFor(() => mill.ledger.runs.size > 20);
  await owner?.crash();
  await mill.untilDone(ids, 40_000);
  expect(mill.ledger.staleEffects).toBe(0);
  client.disconnect();
});
