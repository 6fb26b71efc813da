import { setTimeout as sleep } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';
import { type Contender, countdown, createLeavers, idlePause, inFlightOf, payload, range } from '../redis/contender.ts';

const name = 'work';

/** pg-boss with LISTEN and NOTIFY, batches as large as its concurrency, and the next batch at once after a full one. */
export async function pgBoss(url: string): Promise<Contender> {
  const boss = new PgBoss({ connectionString: url, max: 20, useListenNotify: true, schedule: false });
  boss.on('error', () => undefined);
  await boss.start();
  await boss.createQueue(name, { notify: true });

  const leavers = createLeavers();
  return {
    name: 'pg-boss',
    enqueueOne: (count, inFlight) => inFlightOf(count, inFlight, (id) => boss.send(name, payload(id))),
    enqueueBulk: (count) =>
      inFlightOf(count / 1_000, 4, (part) =>
        boss.insert(
          name,
          range(part * 1_000, 1_000).map((id) => ({ data: payload(id) })),
        ),
      ),
    process: async (count, { concurrency }) => {
      const { step, done } = countdown(count);
      await boss.work(
        name,
        { batchSize: concurrency, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
        async (jobs) => {
          for (const _ of jobs) step();
        },
      );
      await done;
      leavers.add(() => boss.offWork(name));
    },
    pickup: async (samples) => {
      const waits: number[] = [];
      let started = (): void => undefined;
      await boss.work(name, { batchSize: 1, pollingIntervalSeconds: 0.5 }, async () => started());
      await sleep(200);
      for (let sample = 0; sample < samples; sample += 1) {
        const running = new Promise<void>((resolve) => {
          started = resolve;
        });
        const from = performance.now();
        void boss.send(name, payload(sample));
        await running;
        waits.push(performance.now() - from);
        await sleep(idlePause);
      }
      await boss.offWork(name);
      return waits;
    },
    atRest: () => leavers.gone(),
    close: () => boss.stop({ graceful: false }),
  };
}
