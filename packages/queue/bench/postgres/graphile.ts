import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, makeWorkerUtils, runTaskList, type TaskList, type WorkerPool } from 'graphile-worker';
import pg from 'pg';
import { type Contender, countdown, createLeavers, idlePause, inFlightOf, payload, range } from '../redis/contender.ts';

const logger = new Logger(() => () => undefined);

/** Milliseconds. Once it stood still for ever, with the 500 jobs of its local queue locked, and would have held up the bench. */
const patience = { work: 30_000, end: 5_000 };

/** Answers whether it came to its end in time. */
async function inTime(ms: number, ending: unknown): Promise<boolean> {
  return Promise.race([Promise.resolve(ending).then(() => true), sleep(ms, false)]);
}

/** graphile-worker with the settings of its own performance test: a local queue of 500, completions in batches. */
export async function graphile(url: string): Promise<Contender> {
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  pool.on('error', () => undefined);
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();

  function work(concurrency: number, batched: boolean, tasks: TaskList): WorkerPool {
    const fast = {
      localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    };
    return runTaskList(
      {
        concurrency,
        logger,
        noHandleSignals: true,
        preset: { worker: { concurrentJobs: concurrency, ...(batched && fast) } },
      },
      tasks,
      pool,
    );
  }

  const leavers = createLeavers();
  return {
    name: 'graphile-worker',
    enqueueOne: (count, inFlight) => inFlightOf(count, inFlight, (id) => utils.addJob('work', payload(id))),
    enqueueBulk: (count) =>
      inFlightOf(count / 1_000, 4, (part) =>
        utils.addJobs(range(part * 1_000, 1_000).map((id) => ({ identifier: 'work', payload: payload(id) }))),
      ),
    process: async (count, { concurrency }) => {
      const { step, done } = countdown(count);
      const worker = work(concurrency, true, { work: async () => step() });
      const ended = await inTime(patience.work, done);
      leavers.add(() => inTime(patience.end, worker.gracefulShutdown()));
      if (!ended) throw new Error('graphile-worker has stopped working.');
    },
    pickup: async (samples) => {
      const waits: number[] = [];
      let started = (): void => undefined;
      const worker = work(1, false, { work: async () => started() });
      await sleep(200);
      for (let sample = 0; sample < samples; sample += 1) {
        const running = new Promise<void>((resolve) => {
          started = resolve;
        });
        const from = performance.now();
        void utils.addJob('work', payload(sample));
        await running;
        waits.push(performance.now() - from);
        await sleep(idlePause);
      }
      await worker.gracefulShutdown();
      return waits;
    },
    atRest: () => leavers.gone(),
    close: async () => {
      await utils.release();
      await inTime(patience.end, pool.end());
    },
  };
}
