import type { Contender } from '../redis/contender.ts';
import { median } from '../redis/measure.ts';
import { compare, type Result } from '../result.ts';
import { openArena, takeTurns } from './arena.ts';

/** Jobs for more than a second of each library's work, by their rates on the machine of the results. */
const sizes = { one: 60_000, oneOfPeers: 2_000, bulk: 150_000 };

/** Enqueueing one by one (100 calls in flight), and in bulk; against the better of the two peers. */
export async function measureEnqueue(quick: boolean): Promise<Result[]> {
  await using arena = await openArena();
  const { one: ours, oneOfPeers: theirs, bulk } = sizes;
  const one = (who: Contender, count: number) => ({ count, work: () => who.enqueueOne(count, 100) });
  const many = (who: Contender) => ({ count: bulk, work: () => who.enqueueBulk(bulk) });
  const { millrace, graphile, pgBoss } = arena;
  const rounds = quick ? 1 : 3;
  const single = await takeTurns(arena, rounds, [one(millrace, ours), one(graphile, theirs), one(pgBoss, theirs)]);
  const together = await takeTurns(arena, rounds, [many(millrace), many(graphile), many(pgBoss)]);
  return [
    better(
      'postgres.enqueue.one',
      single.map(({ rate }) => rate),
    ),
    better(
      'postgres.enqueue.bulk',
      together.map(({ rate }) => rate),
    ),
  ];
}

function better(metric: string, [ours = 0, graphile = 0, boss = 0]: readonly number[]): Result {
  return graphile >= boss
    ? compare(metric, ours, graphile, 'graphile-worker', 'jobs/s')
    : compare(metric, ours, boss, 'pg-boss', 'jobs/s');
}

/** From enqueue to the start of the handler, when a worker is idle. */
export async function measurePickup(quick: boolean): Promise<Result[]> {
  await using arena = await openArena();
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < (quick ? 1 : 3); round += 1) {
    await arena.clear();
    ours.push(...(await arena.millrace.pickup(200)));
    theirs.push(...(await arena.graphile.pickup(200)));
  }
  return [compare('postgres.pickup.p50', median(ours), median(theirs), 'graphile-worker', 'ms')];
}
