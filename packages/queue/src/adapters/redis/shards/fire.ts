import type { ControlInput, EnqueueAnswer } from '../../../contract/index.ts';
import { hasFired, type Shard } from '../shard.ts';
import { shardOfTenant } from './place.ts';
import { isOverMark, makeRoom, tries } from './room.ts';
import type { Shares } from './shares.ts';

/** Fires in the shard of the tenant whose jobs these are; with nothing to enqueue, in the one that has the schedule. */
export async function fireSchedule(
  shards: readonly Shard[],
  shares: Shares,
  input: ControlInput<'fireSchedule'>,
): Promise<boolean> {
  const [first] = input.jobs;
  if (first === undefined) return (await Promise.all(shards.map((shard) => shard.fireSchedule(input)))).some(hasFired);
  const place = shardOfTenant(first.tenant, shards.length);
  const fire = (): Promise<readonly EnqueueAnswer[] | undefined> => (shards[place] as Shard).fireSchedule(input);
  let answers = await fire();
  for (let left = tries; left > 0 && answers?.some(isOverMark); left -= 1) {
    if (!(await makeRoom(shares, input.jobs, () => place, true))) break;
    answers = await fire();
  }
  return hasFired(answers);
}
