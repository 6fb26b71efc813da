import type {
  ControlAnswer,
  ControlInput,
  ControlOperation,
  EnqueueRequest,
  QueueStorage,
} from '../../contract/index.ts';
import { UnsupportedError } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import { control } from './control.ts';
import type { Persist } from './durability.ts';
import { enqueueRefused } from './enqueue.ts';
import { handOffOf } from './exchange.ts';
import { createHints } from './hints.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { createShard, hasFired } from './shard.ts';
import { createShardedCore } from './shards/core.ts';
import { shardOfTenant } from './shards/place.ts';

/** What a storage works with. */
export interface StorageParts {
  readonly queue: string;
  /** Prefixes of all keys of each shard, with the hash tags. */
  readonly prefixes: readonly string[];
  readonly client: RedisClient;
  readonly guard: MemoryGuard;
  readonly persist: Persist;
  /** Creates the state of the shards where it is missing. */
  readonly create: () => Promise<void>;
  readonly keepAlive: QueueStorage['keepAlive'];
  /** A clock in milliseconds. */
  readonly monotonic: () => number;
}

/** What a storage does with its shard or shards. */
export type StorageCore = Pick<QueueStorage, 'exchange' | 'control'> & {
  enqueue(jobs: EnqueueRequest['jobs'], atomic: boolean): ReturnType<QueueStorage['enqueue']>;
};

/** One queue. */
export function openStorage(parts: StorageParts): QueueStorage {
  const { prefixes, client, guard, persist, keepAlive } = parts;
  const hints = createHints(
    client,
    prefixes.map((prefix) => `${prefix}hint`),
  );
  let closed = false;
  const shards = prefixes.map((prefix) =>
    createShard({ ...parts, prefix, shards: prefixes.length, isClosed: () => closed }),
  );
  const [only] = shards;
  const core = shards.length === 1 && only !== undefined ? plainCore(only) : createShardedCore(shards, parts.monotonic);

  /** Where jobs are written. A schedule that enqueues nothing may be anywhere. */
  function prefixesOf(jobs: EnqueueRequest['jobs']): readonly string[] {
    if (prefixes.length === 1 || jobs.length === 0) return prefixes;
    return [...new Set(jobs.map(({ tenant }) => prefixes[shardOfTenant(tenant, prefixes.length)] as string))];
  }

  async function enqueue({ jobs, atomic = false, transaction }: EnqueueRequest): ReturnType<QueueStorage['enqueue']> {
    if (transaction !== undefined) {
      throw new UnsupportedError('Redis has no transactions of yours to join: leave `tx` out.');
    }
    if (jobs.length === 0) return [];
    if (await guard.isFull()) return enqueueRefused(jobs, guard.retryAfter);
    const written = persist(prefixesOf(jobs));
    const answers = await core.enqueue(jobs, atomic);
    await written();
    return answers;
  }

  return {
    enqueue,
    exchange: core.exchange,
    control: async (operation, input) => {
      if (operation !== 'fireSchedule') return core.control(operation, input);
      const written = persist(prefixesOf((input as ControlInput<'fireSchedule'>).jobs));
      const answer = await core.control(operation, input);
      await written();
      return answer;
    },
    exchangesAtOnce: 2,
    watch: hints.watch,
    // Several shards, each with an offer, would hand over more than the worker can take.
    ...(shards.length === 1 && {
      handOffs: (session, listener) =>
        hints.listen(`${only?.prefix}to:${session}`, (message) => listener(handOffOf(message))),
    }),
    ...(keepAlive !== undefined && { keepAlive }),
    close: async () => {
      closed = true;
      hints.close();
    },
  };
}

function plainCore(shard: ReturnType<typeof createShard>): StorageCore {
  return {
    enqueue: shard.enqueue,
    exchange: async (request) => (await shard.exchange(request)).answer,
    control: <Op extends ControlOperation>(operation: Op, input: ControlInput<Op>): Promise<ControlAnswer<Op>> =>
      operation === 'fireSchedule'
        ? (shard.fireSchedule(input as ControlInput<'fireSchedule'>).then(hasFired) as Promise<ControlAnswer<Op>>)
        : (control(shard.control, operation, input as ControlInput<Exclude<Op, 'fireSchedule'>>) as Promise<
            ControlAnswer<Op>
          >),
  };
}
