import { createQueue, defineJob } from '@millrace/queue';
import { z } from 'zod';

// A worker of the soak, to be killed. The attempts that killing costs are not the jobs' fault.

const work = defineJob('work', z.object({ id: z.number(), t0: z.number(), pad: z.string() }));
const [url = ''] = process.argv.slice(2);
const queue = createQueue({ url, jobs: [work] });
queue.work({ work: async () => undefined }, { concurrency: 50, lease: '3s' });
