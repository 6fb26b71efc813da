import { setTimeout as sleep } from 'node:timers/promises';
import { type BackendFactory, createRedisBackend, type IQueueBackend, type JobsOptions, withBackend } from 'bullmq';
import {
  type Contender,
  countdown,
  createLeavers,
  type EnqueueShape,
  idlePause,
  inFlightOf,
  payload,
  range,
} from './contender.ts';

function optionsOf(id: number, { priorities }: EnqueueShape): JobsOptions {
  return priorities === undefined ? {} : { priority: 1 + (id % priorities) };
}

/** BullMQ on Redis. */
export function bullmq(url: string): Promise<Contender> {
  const { hostname: host, port } = new URL(url);
  return bullmqOn(createRedisBackend, { host, port: Number(port), maxRetriesPerRequest: null });
}

/** BullMQ, with the settings that its documentation gives for speed: finished jobs are removed. Groups are part of the paid edition. */
export async function bullmqOn<B extends IQueueBackend, C>(
  backend: BackendFactory<B, C>,
  connection: C,
): Promise<Contender> {
  const { Queue, Worker } = withBackend(backend);
  const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } });
  await queue.waitUntilReady();

  async function startWorker(concurrency: number, handler: () => Promise<void>) {
    const worker = new Worker('bench', handler, {
      connection,
      concurrency,
      autorun: false,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    await worker.waitUntilReady();
    return worker;
  }

  const leavers = createLeavers();
  return {
    name: 'BullMQ',
    enqueueOne: (count, inFlight, shape = {}) =>
      inFlightOf(count, inFlight, (id) => queue.add('work', payload(id), optionsOf(id, shape))),
    enqueueBulk: (count, shape = {}) =>
      inFlightOf(count / 1_000, 4, (part) =>
        queue.addBulk(
          range(part * 1_000, 1_000).map((id) => ({ name: 'work', data: payload(id), opts: optionsOf(id, shape) })),
        ),
      ),
    process: async (count, { concurrency }) => {
      const { step, done } = countdown(count);
      const worker = await startWorker(concurrency, async () => step());
      void worker.run();
      await done;
      leavers.add(() => worker.close());
    },
    pickup: async (samples) => {
      const waits: number[] = [];
      let started = (): void => undefined;
      const worker = await startWorker(1, async () => started());
      void worker.run();
      await sleep(200);
      for (let sample = 0; sample < samples; sample += 1) {
        const running = new Promise<void>((resolve) => {
          started = resolve;
        });
        const from = performance.now();
        void queue.add('work', payload(sample));
        await running;
        waits.push(performance.now() - from);
        await sleep(idlePause);
      }
      await worker.close();
      return waits;
    },
    atRest: () => leavers.gone(),
    close: () => queue.close(),
  };
}
