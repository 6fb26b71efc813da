import type { EnqueueAnswer, NewJob } from '../../../contract/index.ts';
import { UnsupportedError } from '../../../errors.ts';
import type { Shard } from '../shard.ts';
import type { StorageCore } from '../storage.ts';
import { controlShards } from './control.ts';
import { createExchange } from './exchange.ts';
import { byShard, inOrder, shardOfTenant } from './place.ts';
import { sendWithRoom } from './room.ts';
import { createShares } from './shares.ts';

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

  function enqueue(jobs: readonly NewJob[], atomic: boolean): Promise<readonly EnqueueAnswer[]> {
    return sendWithRoom(jobs, { shares, placeOf, atomic, send: atomic ? enqueueWhole : enqueueEach });
  }

  return {
    enqueue,
    exchange: createExchange(shards, shares, monotonic),
    control: (operation, input) => controlShards({ shards, shares }, operation, input),
  };
}
