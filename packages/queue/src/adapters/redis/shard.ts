import type { ControlInput, EnqueueAnswer, ExchangeAnswer, ExchangeRequest, NewJob } from '../../contract/index.ts';
import { QueueClosedError } from '../../errors.ts';
import type { Argument, RedisClient } from './client.ts';
import type { RunControl } from './control.ts';
import { enqueueAnswers, enqueueArguments, enqueueChunk, enqueueRefused } from './enqueue.ts';
import { exchangeAnswer, exchangeArguments, shardViewOf } from './exchange.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { runScript, type ScriptName } from './scripts.ts';
import { isOutOfMemory, isUnopened, toStoreError } from './store-errors.ts';

/** A queue, or a part of it: keys with one hash tag, changed by one script at a time. */
export interface Shard {
  readonly prefix: string;
  enqueue(jobs: readonly NewJob[], atomic: boolean): Promise<readonly EnqueueAnswer[]>;
  /**
   * Enqueues and moves the schedule on. Nothing happens where it does not stand at the expected instant, which answers undefined, or where there is not room for all
   * the jobs, which answers their refusal.
   */
  fireSchedule(input: ControlInput<'fireSchedule'>): Promise<readonly EnqueueAnswer[] | undefined>;
  /** `part` and the view are for queues over several shards: see lua/shards.ts. */
  exchange(
    request: ExchangeRequest,
    part?: string,
  ): Promise<{ readonly answer: ExchangeAnswer; readonly view: string }>;
  readonly control: RunControl;
}

/** Whether a schedule has fired, by what {@link Shard.fireSchedule} answered. */
export function hasFired(answers: readonly EnqueueAnswer[] | undefined): boolean {
  return answers?.every(({ status }) => status !== 'rejected') ?? false;
}

/** What a shard works with. */
export interface ShardParts {
  readonly queue: string;
  /** Prefix of all keys, with the hash tag. */
  readonly prefix: string;
  /** How many the queue has. */
  readonly shards: number;
  readonly client: RedisClient;
  readonly guard: MemoryGuard;
  readonly isClosed: () => boolean;
  /** Creates the shard's state where it is missing. */
  readonly create: () => Promise<void>;
}

/** Creates a {@link Shard}. */
export function createShard({ queue, prefix, shards, client, guard, isClosed, create }: ShardParts): Shard {
  async function run(name: ScriptName, args: readonly Argument[]): Promise<unknown> {
    if (isClosed()) throw new QueueClosedError(queue);
    try {
      return await runScript(client, name, prefix, args);
    } catch (error) {
      if (!isUnopened(error)) throw error;
      await create();
      return runScript(client, name, prefix, args);
    }
  }

  const runOrThrow = (name: ScriptName, args: readonly Argument[]): Promise<unknown> =>
    run(name, args).catch((error: unknown) => {
      throw toStoreError(error);
    });

  async function enqueueSome(jobs: readonly NewJob[], atomic: boolean): Promise<EnqueueAnswer[]> {
    try {
      return enqueueAnswers(jobs, await run('enqueue', enqueueArguments(jobs, atomic)));
    } catch (error) {
      if (isOutOfMemory(error)) return enqueueRefused(jobs, guard.retryAfter);
      throw toStoreError(error);
    }
  }

  return {
    prefix,
    enqueue: async (jobs, atomic) => {
      if (atomic || jobs.length <= enqueueChunk) return enqueueSome(jobs, atomic);
      return (await Promise.all(chunks(jobs, enqueueChunk).map((some) => enqueueSome(some, false)))).flat();
    },
    fireSchedule: async ({ jobs, ...move }) => {
      const reply = await runOrThrow('enqueue', enqueueArguments(jobs, true, JSON.stringify(move)));
      return reply === 0 ? undefined : enqueueAnswers(jobs, reply);
    },
    exchange: async (request, part) => {
      const reply = await runOrThrow('exchange', exchangeArguments(request, part));
      return { answer: exchangeAnswer(request, reply, shards), view: shardViewOf(reply) };
    },
    control: (operation, input) => runOrThrow('control', [operation, JSON.stringify(input)]),
  };
}

function chunks<T>(items: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
