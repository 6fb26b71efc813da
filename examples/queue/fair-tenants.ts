// Two tenants share one worker: the one with the long backlog does not keep the other waiting, and a weight buys a larger share.
import { createQueue, defineJob } from '@millrace/queue';
import { z } from 'zod';

const task = defineJob('task', z.object({ tenant: z.string() }));
await using queue = createQueue({ url: 'memory:', jobs: [task] });

await queue.limits.setTenant('gold', { weight: 3 });
for (const [tenant, count] of [
  ['iron', 200],
  ['gold', 60],
] as const) {
  await queue.enqueueMany(
    Array.from({ length: count }, () => ({ name: 'task' as const, payload: { tenant }, tenant })),
  );
}

const order: string[] = [];
const worker = queue.work({ task: (job) => void order.push(job.tenant) }, { concurrency: 4, prefetch: 0 });
while (order.length < 260) await new Promise((resolve) => setTimeout(resolve, 5));
await worker.drain();

const first = order.slice(0, 80);
console.log(
  `of the first 80 jobs, gold had ${first.filter((tenant) => tenant === 'gold').length} and iron ${first.filter((tenant) => tenant === 'iron').length}`,
);
