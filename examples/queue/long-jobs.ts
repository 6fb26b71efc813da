// A job that runs for long reports progress, is cancelled from elsewhere, and stops at once.

import { setTimeout as wait } from 'node:timers/promises';
import { createQueue, defineJob } from '@millrace/queue';
import { z } from 'zod';

const build = defineJob('build', z.object({ repo: z.string() }), { maxAttempts: 2 });
await using queue = createQueue({ url: 'memory:', jobs: [build] });

queue.work(
  {
    build: async (job, ctx) => {
      for (let step = 1; step <= 1_000; step += 1) {
        ctx.progress({ step, repo: job.payload.repo });
        await wait(10, undefined, { signal: ctx.signal });
      }
    },
  },
  { pollInterval: 50 },
);

const { id } = await queue.enqueue('build', { repo: 'millrace' });
while ((await queue.inspect.job(id))?.progress === undefined) await wait(10);
console.log('asked to stop:', await queue.cancel(id));
while ((await queue.inspect.job(id))?.state === 'leased') await wait(10);
console.log('the job is', (await queue.inspect.job(id))?.state);
