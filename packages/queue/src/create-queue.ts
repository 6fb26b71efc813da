import { type Clock, systemClock } from './clock.ts';
import { type Codec, plain } from './codec.ts';
import type { QueueAdapter, QueueStorage } from './contract/index.ts';
import { InvalidOptionError } from './errors.ts';
import { createIdMaker } from './id.ts';
import type { QueueInstrumentation } from './instrumentation.ts';
import { assertInteger, type Jobs } from './job.ts';
import { createBulk } from './manage/create-bulk.ts';
import { createDeadLetters } from './manage/create-dead-letters.ts';
import { createInspect } from './manage/create-inspect.ts';
import { createLimits, toConfiguration } from './manage/create-limits.ts';
import { createSchedules, type ScheduleKeeper } from './manage/create-schedules.ts';
import type { SettingsOptions } from './manage/limits.ts';
import { createOpened, type Opened } from './opened.ts';
import { createBatcher, notify } from './produce/batcher.ts';
import { indexJobs, type JobMaker } from './produce/new-job.ts';
import { createProducer, type Producer } from './produce/producer.ts';
import type { CallOptions, Enqueued, EnqueueItem, Flow, Queue, Rejected } from './queue.ts';
import { waitForResult } from './results.ts';
import { adapterFor } from './url.ts';
import { createWorker } from './worker/create-worker.ts';
import type { AnyHandler } from './worker/crew.ts';
import type { Worker } from './worker.ts';

/** Options of {@link createQueue}. Give `url` or `adapter`. */
export interface QueueOptions<J extends Jobs> {
  /** `memory:`, `sqlite://path`, `redis://…` or `postgres://…`. */
  readonly url?: string;
  /** An adapter of your own, or one on a client that you have already. It is yours to close. */
  readonly adapter?: QueueAdapter;
  /** Every kind of job that goes through this queue. */
  readonly jobs: J;
  /** Queues with different names in one store know nothing of each other. @default 'default' */
  readonly name?: string;
  /** Limits, aging and retention, written into the store when the queue is opened. @default what the store has */
  readonly settings?: SettingsOptions;
  /** Largest payload and largest result, in bytes of encoded text. @default 262144 */
  readonly maxPayloadBytes?: number;
  /** Compresses or encrypts payloads, results and progress. @default JSON as it is */
  readonly codec?: Codec;
  readonly instrumentation?: QueueInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
  /** From 0 up to, not including, 1. @default Math.random */
  readonly random?: () => number;
}

/**
 * Creates a queue. Nothing is opened before the first call (or `ready()`).
 *
 * @example
 * const queue = createQueue({ url: 'sqlite://jobs.db', jobs: [sendMail] });
 * await queue.enqueue('send-mail', { to: 'ada@example.org' });
 * const worker = queue.work({ 'send-mail': async (job) => mailer.send(job.payload) });
 *
 * @throws InvalidOptionError
 */
export function createQueue<const J extends Jobs>(options: QueueOptions<J>): Queue<J> {
  const parts = assemble(options);
  const { opened } = parts;
  const workers = new Set<Worker>();

  async function close(): Promise<void> {
    await Promise.all([...workers].map((worker) => worker.drain()));
    await opened.close();
  }

  const queue: Queue = {
    ...produceSide(parts.producer),
    ...steerSide(opened),
    name: opened.queue,
    result: parts.waitForResult,
    work: (handlers, workerOptions) => {
      const worker = createWorker(parts.worker, handlers as Readonly<Record<string, AnyHandler>>, workerOptions);
      workers.add(worker);
      return worker;
    },
    limits: createLimits(opened),
    inspect: createInspect(opened, parts.codec),
    deadLetters: createDeadLetters(opened, parts.codec),
    schedules: parts.schedules,
    ready: async (callOptions) => opened.call(async () => undefined, callOptions),
    close,
    [Symbol.asyncDispose]: close,
  };
  // Inside, names and payloads are checked at run time; the types of the definitions are for the callers.
  return queue as unknown as Queue<J>;
}

interface Assembled {
  readonly opened: Opened;
  readonly codec: Codec;
  readonly producer: Producer;
  readonly schedules: ScheduleKeeper;
  readonly waitForResult: (jobId: string, options?: CallOptions) => Promise<unknown>;
  readonly worker: Parameters<typeof createWorker>[0];
}

function assemble<J extends Jobs>(options: QueueOptions<J>): Assembled {
  const {
    clock = systemClock,
    random = Math.random,
    codec = plain,
    maxPayloadBytes = 262_144,
    instrumentation,
  } = options;
  assertInteger('maxPayloadBytes', maxPayloadBytes, 1, 1_073_741_824);
  const definitions = indexJobs(options.jobs);
  const makeId = createIdMaker(clock, random);
  const maker: JobMaker = { definitions, codec, maxPayloadBytes, makeId };
  const opened = openLater(options, clock, random);
  const schedules = createSchedules(opened, maker, clock);
  const wait = (jobId: string, call?: CallOptions): Promise<unknown> =>
    waitForResult(opened, clock, codec, jobId, call);
  const batcher = createBatcher(opened, clock, instrumentation);
  const queue = opened.queue;
  const onDueSchedules = (keys: readonly string[]): void => {
    schedules.fire(keys).catch((error: unknown) => {
      notify(() => instrumentation?.onStoreError?.({ queue, operation: 'control', error }));
    });
  };
  return {
    opened,
    codec,
    schedules,
    waitForResult: wait,
    producer: createProducer({ queue, maker, batcher, instrumentation, waitForResult: wait }),
    worker: {
      queue,
      opened,
      clock,
      random,
      makeId,
      codec,
      maxPayloadBytes,
      instrumentation,
      definitions,
      onDueSchedules,
    },
  };
}

function openLater(options: QueueOptions<Jobs>, clock: Clock, random: () => number): Opened {
  const { url, adapter, name = 'default' } = options;
  if (!/^[\w.:-]{1,100}$/.test(name)) {
    throw new InvalidOptionError('The name of a queue must have 1 to 100 letters, digits, "_", "-", "." or ":".');
  }
  if ((url === undefined) === (adapter === undefined)) {
    throw new InvalidOptionError("createQueue() needs either `url` (such as 'sqlite://jobs.db') or `adapter`.");
  }
  const configuration = options.settings && toConfiguration(options.settings);
  return createOpened({
    queue: name,
    adapter: adapter === undefined ? adapterFor(url as string) : async () => adapter,
    owned: adapter === undefined,
    clock,
    random,
    prepare: async (storage: QueueStorage) => {
      if (configuration !== undefined) await storage.control('configure', configuration);
    },
  });
}

function produceSide(producer: Producer): Pick<Queue, 'enqueue' | 'tryEnqueue' | 'enqueueMany' | 'enqueueFlow'> {
  return {
    enqueue: (name, payload, options) => producer.tryEnqueue(name, payload, options).then(orThrow),
    tryEnqueue: producer.tryEnqueue,
    enqueueMany: (items, options) => producer.enqueueMany(items as readonly EnqueueItem<Jobs>[], options),
    enqueueFlow: (flow, options) => producer.enqueueFlow(flow as Flow<Jobs>, options),
  };
}

function orThrow(answer: Enqueued | Rejected): Enqueued {
  if (answer.status === 'rejected') throw answer.error;
  return answer;
}

function steerSide(opened: Opened): Pick<Queue, 'cancel' | 'setPriority' | 'pause' | 'resume' | 'bulk'> {
  const ofTenant = (tenant: string | undefined): { tenant?: string } => (tenant === undefined ? {} : { tenant });
  return {
    cancel: async (jobId, options) => {
      const [answer] = await opened.call((storage) => storage.control('cancel', { ids: [jobId] }), options);
      return answer ?? 'unknown';
    },
    setPriority: async (jobId, priority, options) => {
      assertInteger('priority', priority, -1_000, 1_000);
      return (
        (await opened.call((storage) => storage.control('setPriority', { ids: [jobId], priority }), options)) === 1
      );
    },
    pause: ({ tenant, ...options } = {}) =>
      opened.call((storage) => storage.control('pause', ofTenant(tenant)), options),
    resume: ({ tenant, ...options } = {}) =>
      opened.call((storage) => storage.control('resume', ofTenant(tenant)), options),
    bulk: (filter) => createBulk(opened, filter),
  };
}
