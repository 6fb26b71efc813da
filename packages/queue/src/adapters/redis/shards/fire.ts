import type { ControlInput } from '../../../contract/index.ts';
import { hasFired, type Shard } from '../shard.ts';
import { shardOfTenant } from './place.ts';
import { sendWithRoom } from './room.ts';
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
  const shard = shards[place] as Shard;
  const answers = await sendWithRoom(input.jobs, {
    shares,
    placeOf: () => place,
    atomic: true,
    send: async () => (await shard.fireSchedule(input)) ?? [],
  });
  // No answers: the schedule stands elsewhere.
  return answers.length > 0 && hasFired(answers);
}
