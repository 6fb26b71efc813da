// Two workers on one Redis. The first shuts down in the middle of a long job; the second has it within moments, and no attempt is lost.
// Run it beside a Redis: REDIS_URL=redis://localhost:6379 node --import tsx examples/queue/redis-handover.ts

import { setTimeout as wait } from 'node:timers/promises';
import { createQueue, defineJob } from '@millrace/queue';
import { z } from 'zod';

const build = defineJob('build', z.object({ repo: z.string() }));

async function handOver(url: string): Promise<void> {
  const options = { url, name: `handover-${process.pid}`, jobs: [build] } as const;
  await using first = createQueue(options);
  await using second = createQueue(options);
  const { id } = await first.enqueue('build', { repo: 'millrace' });

  const leaving = first.work({ build: (_job, { signal }) => wait(3_600_000, undefined, { signal }) });
  while ((await first.inspect.job(id))?.state !== 'leased') await wait(10);
  console.log('the first worker has it');

  const done = new Promise<string>((resolve) => {
    second.work({
      build: async (job) => resolve(`the second worker built ${job.payload.repo}, attempt ${job.attempt}`),
    });
  });
  await leaving.drain({ timeout: '100ms' });
  console.log(await done);
}

const url = process.env.REDIS_URL;
if (url === undefined) console.log('Set REDIS_URL to a Redis of yours to see two workers hand a job over.');
else await handOver(url);
