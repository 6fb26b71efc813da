import { spawn } from 'node:child_process';
import { type Bench, median } from '../result.ts';
import { openQueue } from '../shared/end-to-end.ts';
import { openFile } from './file.ts';

/** A process that works on the file and prints the time at which each handler starts. */
function startConsumer(path: string) {
  const script = `
    import { createQueue, defineJob } from '@millrace/queue';
    import { sqliteAdapter } from '@millrace/queue/sqlite';
    import { z } from 'zod';
    const adapter = sqliteAdapter({ path: ${JSON.stringify(path)} });
    const queue = createQueue({ adapter, jobs: [defineJob('work', z.object({ id: z.number(), pad: z.string() }))] });
    queue.work({ work: () => { process.stdout.write(Date.now() + '\\n'); } }, { pollInterval: '10s', lease: '60s' });
    await queue.ready();
    setTimeout(() => process.stdout.write('up\\n'), 500);
  `;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Enqueue here, handler start in another process. */
export const wakeBench: Bench = {
  metrics: ['sqlite.wake.p50'],
  run: async ({ quick }) => {
    const { adapter, path, close } = openFile();
    const queue = openQueue(adapter);
    await queue.ready();
    const consumer = startConsumer(path);
    const line = (): Promise<string> =>
      new Promise((resolve) => consumer.stdout.once('data', (data) => resolve(String(data))));
    await line();
    const waits: number[] = [];
    for (let n = 0; n < (quick ? 50 : 300); n += 1) {
      const started = line();
      const sentAt = Date.now();
      await queue.enqueue('work', { id: n, pad: '' });
      waits.push(Number(await started) - sentAt);
      await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 30));
    }
    consumer.kill();
    await queue.close();
    await adapter.close();
    await close();
    return [{ metric: 'sqlite.wake.p50', ours: median(waits), peer: null, peerName: null, unit: 'ms', ratio: null }];
  },
};
