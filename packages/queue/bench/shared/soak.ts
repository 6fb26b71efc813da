import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createQueue, defineJob } from '@millrace/queue';
import { z } from 'zod';
import { payload, range } from '../redis/contender.ts';

const work = defineJob('work', z.object({ id: z.number(), t0: z.number(), pad: z.string() }));
/** Jobs that wait at most: what is measured is the flow, not a backlog. */
const mostWaiting = 20_000;
const workers = 2;
const killEvery = 4_000;

/** What may grow in a store when something leaks, and its connections. */
export type StoreSample = Readonly<Record<string, number>>;

/**
 * Jobs go through a store while worker processes are killed and replaced. Memory, connections and open files must stay flat.
 * @param look - at the store
 * @returns whether every job was done
 */
export async function soakStore(url: string, total: number, look: () => Promise<StoreSample>): Promise<boolean> {
  await using queue = createQueue({ url, jobs: [work] });
  const waiting = async (): Promise<number> => {
    const { ready, delayed, leased } = await queue.inspect.counts();
    return ready + delayed + leased;
  };
  const crew = startCrew(url);
  const samples: StoreSample[] = [];
  let enqueued = 0;
  while (enqueued < total) {
    if ((await waiting()) > mostWaiting) {
      await sleep(20);
      continue;
    }
    const size = Math.min(1_000, total - enqueued);
    const jobs = range(enqueued, size).map((id) => ({ name: 'work' as const, payload: payload(id) }));
    const answers = await queue.enqueueMany(jobs);
    enqueued += answers.filter(({ status }) => status === 'accepted').length;
    if (samples.length >= (enqueued / total) * 20) continue;
    const sample = { done: enqueued - (await waiting()), ...(await look()), ...ownSample() };
    samples.push(sample);
    console.log(JSON.stringify(sample));
  }
  while ((await waiting()) > 0) await sleep(100);
  const kills = crew.stop();
  const { dead } = await queue.inspect.counts();
  // By the second the workers have started.
  const [first, last] = [samples[1], samples.at(-1)];
  console.log(JSON.stringify({ jobs: enqueued, kills, dead, left: await waiting(), first, last }));
  return dead === 0;
}

function ownSample(): StoreSample {
  return {
    files: readdirSync('/proc/self/fd').length,
    rssMb: Math.round(process.memoryUsage().rss / 1e6),
  };
}

/** Worker processes, of which one is killed every few seconds. */
function startCrew(url: string): { stop(): number } {
  const spawn = (): ChildProcess => fork(join(import.meta.dirname, 'soak-worker.ts'), [url]);
  const children = Array.from({ length: workers }, spawn);
  let kills = 0;
  const killing = setInterval(() => {
    kills += 1;
    children.shift()?.kill('SIGKILL');
    children.push(spawn());
  }, killEvery);
  return {
    stop: () => {
      clearInterval(killing);
      for (const child of children) child.kill('SIGKILL');
      return kills;
    },
  };
}
