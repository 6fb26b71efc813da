import { setTimeout as sleep } from 'node:timers/promises';
import BeeQueue from 'bee-queue';
import { type Contender, countdown, createLeavers, idlePause, inFlightOf, payload, range } from './contender.ts';

/** bee-queue, with the settings that its documentation gives for speed: no events, no stored jobs, finished jobs are removed. */
export async function beeQueue(url: string): Promise<Contender> {
  const base = {
    redis: { url },
    storeJobs: false,
    sendEvents: false,
    getEvents: false,
    removeOnSuccess: true,
    activateDelayedJobs: false,
  };
  const producer = new BeeQueue('bench', { ...base, isWorker: false });
  await producer.ready();
  const startWorker = async (): Promise<BeeQueue> => {
    const worker = new BeeQueue('bench', base);
    await worker.ready();
    return worker;
  };
  const leavers = createLeavers();
  return {
    name: 'bee-queue',
    enqueueOne: (count, inFlight) => inFlightOf(count, inFlight, (id) => producer.createJob(payload(id)).save()),
    enqueueBulk: (count) =>
      inFlightOf(count / 1_000, 4, (part) =>
        producer.saveAll(range(part * 1_000, 1_000).map((id) => producer.createJob(payload(id)))),
      ),
    process: async (count, { concurrency }) => {
      const { step, done } = countdown(count);
      const worker = await startWorker();
      worker.process(concurrency, async () => step());
      await done;
      leavers.add(() => worker.close());
    },
    pickup: async (samples) => {
      const waits: number[] = [];
      let started = (): void => undefined;
      const worker = await startWorker();
      worker.process(1, async () => started());
      await sleep(200);
      for (let sample = 0; sample < samples; sample += 1) {
        const running = new Promise<void>((resolve) => {
          started = resolve;
        });
        const from = performance.now();
        void producer.createJob(payload(sample)).save();
        await running;
        waits.push(performance.now() - from);
        await sleep(idlePause);
      }
      await worker.close();
      return waits;
    },
    atRest: () => leavers.gone(),
    close: () => producer.close(),
  };
}
