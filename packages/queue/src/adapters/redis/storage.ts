import type {
  ControlAnswer,
  ControlInput,
  ControlOperation,
  EnqueueAnswer,
  EnqueueRequest,
  QueueStorage,
} from '../../contract/index.ts';
import { QueueClosedError, UnsupportedError } from '../../errors.ts';
import type { Argument, RedisClient } from './client.ts';
import { control } from './control.ts';
import { enqueueAnswers, enqueueArguments, enqueueChunk, enqueueRefused } from './enqueue.ts';
import { exchangeAnswer, exchangeArguments, handOffOf } from './exchange.ts';
import { createHints } from './hints.ts';
import type { MemoryGuard } from './memory-guard.ts';
import { runScript, type ScriptName } from './scripts.ts';
import { isOutOfMemory, isUnopened, toStoreError } from './store-errors.ts';

/** What a storage works with. */
export interface StorageParts {
  readonly queue: string;
  /** Prefix of all keys, with the hash tag. */
  readonly prefix: string;
  readonly client: RedisClient;
  readonly guard: MemoryGuard;
  /** Waits until what was written is safe, as far as the adapter was told to. */
  readonly persist: () => Promise<void>;
  /** Creates the queue's state where it is missing. */
  readonly create: () => Promise<void>;
  readonly keepAlive: QueueStorage['keepAlive'];
}

/** One queue in one shard. */
export function openStorage({ queue, prefix, client, guard, persist, create, keepAlive }: StorageParts): QueueStorage {
  const hints = createHints(client, `${prefix}hint`);
  let closed = false;

  async function run(name: ScriptName, args: readonly Argument[]): Promise<unknown> {
    if (closed) throw new QueueClosedError(queue);
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

  async function enqueueSome(jobs: EnqueueRequest['jobs'], atomic: boolean): Promise<EnqueueAnswer[]> {
    try {
      return enqueueAnswers(jobs, await run('enqueue', enqueueArguments(jobs, atomic)));
    } catch (error) {
      if (isOutOfMemory(error)) return enqueueRefused(jobs, guard.retryAfter);
      throw toStoreError(error);
    }
  }

  async function enqueue({ jobs, atomic = false, transaction }: EnqueueRequest): Promise<readonly EnqueueAnswer[]> {
    if (transaction !== undefined) {
      throw new UnsupportedError('Redis has no transactions of yours to join: leave `tx` out.');
    }
    if (jobs.length === 0) return [];
    if (await guard.isFull()) return enqueueRefused(jobs, guard.retryAfter);
    const answers = await Promise.all(
      chunks(jobs, atomic ? jobs.length : enqueueChunk).map((some) => enqueueSome(some, atomic)),
    );
    await persist();
    return answers.flat();
  }

  async function fireSchedule({ jobs, ...move }: ControlInput<'fireSchedule'>): Promise<boolean> {
    const fired = await runOrThrow('enqueue', enqueueArguments(jobs, false, JSON.stringify(move)));
    await persist();
    return fired !== 0;
  }

  return {
    enqueue,
    exchange: async (request) => exchangeAnswer(request, await runOrThrow('exchange', exchangeArguments(request))),
    control: <Op extends ControlOperation>(operation: Op, input: ControlInput<Op>): Promise<ControlAnswer<Op>> =>
      operation === 'fireSchedule'
        ? (fireSchedule(input as ControlInput<'fireSchedule'>) as Promise<ControlAnswer<Op>>)
        : (control(
            (name, details) => runOrThrow('control', [name, JSON.stringify(details)]),
            operation,
            input as ControlInput<Exclude<Op, 'fireSchedule'>>,
          ) as Promise<ControlAnswer<Op>>),
    exchangesAtOnce: 2,
    watch: hints.watch,
    handOffs: (session, listener) => hints.listen(`${prefix}to:${session}`, (message) => listener(handOffOf(message))),
    ...(keepAlive !== undefined && { keepAlive }),
    close: async () => {
      closed = true;
      hints.close();
    },
  };
}

function chunks<T>(items: readonly T[], size: number): (readonly T[])[] {
  if (items.length <= size) return [items];
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
