import type { EnqueueAnswer, NewJob } from '../../../contract/index.ts';
import { UnsupportedError } from '../../../errors.ts';
import type { Shard } from '../shard.ts';
import type { StorageCore } from '../storage.ts';
import { controlShards } from './control.ts';
import { createExchange } from './exchange.ts';
import { byShard, inOrder, shardOfTenant } from './place.ts';
import { createShares, type Need, type Shares } from './shares.ts';

/** How often refused jobs are tried again after the marks were divided anew, while it seems that there is room. */
const tries = 8;

/** One queue over several shards: tenants are dealt out to them, everything else is put together here. */
export function createShardedCore(shards: readonly Shard[], monotonic: () => number): StorageCore {
  const shares = createShares(shards.map(({ control }) => control));
  const placeOf = ({ tenant }: NewJob): number => shardOfTenant(tenant, shards.length);

  async function enqueueEach(jobs: readonly NewJob[]): Promise<readonly EnqueueAnswer[]> {
    const groups = byShard(jobs, shards.length, placeOf);
    const answers = await Promise.all(
      groups.map((some, shard) => (some.length === 0 ? [] : (shards[shard] as Shard).enqueue(some, false))),
    );
    return inOrder(jobs, placeOf, answers);
  }

  async function enqueueWhole(jobs: readonly NewJob[]): Promise<readonly EnqueueAnswer[]> {
    const [first] = jobs as [NewJob];
    if (jobs.some(({ tenant }) => tenant !== first.tenant)) {
      throw new UnsupportedError(
        'With `shards` all jobs of a flow must have the same tenant: another may live in another shard.',
      );
    }
    return (shards[placeOf(first)] as Shard).enqueue(jobs, true);
  }

  async function enqueue(jobs: readonly NewJob[], atomic: boolean): Promise<readonly EnqueueAnswer[]> {
    const send = atomic ? enqueueWhole : enqueueEach;
    let answers = [...(await send(jobs))];
    for (let left = tries; left > 0; left -= 1) {
      const refused = answers.flatMap((answer, index) => (isOverMark(answer) ? [index] : []));
      if (refused.length === 0) break;
      const again = refused.map((index) => jobs[index] as NewJob);
      if (!(await makeRoom(shares, again, placeOf, atomic))) break;
      const second = await send(again);
      answers = answers.map((answer, index) => second[refused.indexOf(index)] ?? answer);
    }
    return answers;
  }

  return {
    enqueue,
    exchange: createExchange(shards, shares, monotonic),
    control: (operation, input) => controlShards({ shards, shares }, operation, input),
  };
}

/** Refused because the shard's share of the queue's marks is used up: another shard may have some left. */
function isOverMark(answer: EnqueueAnswer): boolean {
  return answer.status === 'rejected' && answer.reason.scope === 'queue' && answer.reason.limit !== 'store';
}

/** Answers whether it is worth trying again. */
async function makeRoom(
  shares: Shares,
  jobs: readonly NewJob[],
  placeOf: (job: NewJob) => number,
  atomic: boolean,
): Promise<boolean> {
  const needs = new Map<number, Need>();
  for (const job of jobs) {
    const { jobs: count, bytes } = needs.get(placeOf(job)) ?? { jobs: 0, bytes: 0 };
    needs.set(placeOf(job), { jobs: count + 1, bytes: bytes + job.bytes });
  }
  const free = await shares.divide(needs);
  if (free === undefined) return false;
  const bytes = jobs.map((job) => job.bytes);
  return atomic
    ? free.jobs >= jobs.length && free.bytes >= bytes.reduce((sum, more) => sum + more, 0)
    : free.jobs >= 1 && free.bytes >= Math.min(...bytes);
}
