import { setTimeout as sleep } from 'node:timers/promises';
import { createQueue, defineJob, type EnqueueOptions, type QueueAdapter } from '@millrace/queue';
import { redisAdapter } from '@millrace/queue/redis';
import { z } from 'zod';
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

const work = defineJob('work', z.object({ id: z.number(), t0: z.number(), pad: z.string() }));

function optionsOf(id: number, { tenants, priorities }: EnqueueShape): EnqueueOptions {
  return {
    ...(tenants !== undefined && { tenant: `tenant-${id % tenants}` }),
    ...(priorities !== undefined && { priority: id % priorities }),
  };
}

/** @millrace/queue on Redis. */
export function millrace(url: string): Promise<Contender> {
  return millraceOn(redisAdapter({ url, onWarning: () => undefined }));
}

/** @millrace/queue on an adapter, which it closes. With tenants, each has a cap of 50 leased jobs. */
export async function millraceOn(adapter: QueueAdapter): Promise<Contender> {
  const queue = createQueue({ adapter, jobs: [work] });
  await queue.ready();
  const capTenants = ({ tenants }: EnqueueShape): Promise<unknown> =>
    queue.limits.set({ tenantDefaults: { maxLeased: tenants === undefined ? null : 50 } });
  const leavers = createLeavers();
  return {
    name: 'millrace',
    enqueueOne: (count, inFlight, shape = {}) =>
      inFlightOf(count, inFlight, (id) => queue.enqueue('work', payload(id), optionsOf(id, shape))),
    enqueueBulk: async (count, shape = {}) => {
      await capTenants(shape);
      await inFlightOf(count / 1_000, 4, (part) =>
        queue.enqueueMany(
          range(part * 1_000, 1_000).map((id) => ({ name: 'work', payload: payload(id), ...optionsOf(id, shape) })),
        ),
      );
    },
    process: async (count, { concurrency, prefetch = false }) => {
      const { step, done } = countdown(count);
      const worker = queue.work({ work: async () => step() }, { concurrency, prefetch: prefetch ? 'auto' : 0 });
      await done;
      leavers.add(() => worker.drain());
    },
    pickup: async (samples) => {
      const waits: number[] = [];
      let started = (): void => undefined;
      await using worker = queue.work({ work: async () => started() }, { concurrency: 1 });
      await sleep(200);
      for (let sample = 0; sample < samples; sample += 1) {
        const running = new Promise<void>((resolve) => {
          started = resolve;
        });
        const from = performance.now();
        void queue.enqueue('work', payload(sample));
        await running;
        waits.push(performance.now() - from);
        await sleep(idlePause);
      }
      worker.pause();
      return waits;
    },
    atRest: () => leavers.gone(),
    close: async () => {
      await queue.close();
      await adapter.close();
    },
  };
}
