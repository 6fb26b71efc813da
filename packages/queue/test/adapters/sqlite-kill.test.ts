import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createQueue, defineJob } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import fc from 'fast-check';
import Libsql from 'libsql';
import { afterAll, expect, it } from 'vitest';
import { z } from 'zod';

const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
const children = new Set<ChildProcess>();
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Jobs per run, and processes that work on them at a time. */
const jobs = 150;
const processes = 3;

/** A worker process: each job guards its write with the fence, as a handler of a user should. */
function startWorker(path: string, effects: string): ChildProcess {
  const script = `
    import { createQueue, defineJob } from '@millrace/queue';
    import { sqliteAdapter } from '@millrace/queue/sqlite';
    import Libsql from 'libsql';
    import { z } from 'zod';
    const effects = new Libsql(${JSON.stringify(effects)});
    effects.exec('PRAGMA busy_timeout = 5000');
    const write = effects.prepare('INSERT INTO effect (n, fence, runs) VALUES (?, ?, 1) ON CONFLICT (n) DO UPDATE SET fence = excluded.fence, runs = runs + 1 WHERE excluded.fence > fence');
    const adapter = sqliteAdapter({ path: ${JSON.stringify(path)}, durability: 'normal' });
    const queue = createQueue({ adapter, jobs: [defineJob('work', z.number(), { maxAttempts: 100, backoff: () => 5 })] });
    queue.work({ work: async (job, ctx) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
      if (Math.random() < 0.05) throw new Error('unlucky');
      write.run(job.payload, ctx.fence);
    } }, { lease: 1_000, margin: 100, pollInterval: 200, concurrency: 5 });
    process.stdout.write('up');
  `;
  const child = spawn(
    process.execPath,
    ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', script],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

const exited = (child: ChildProcess): Promise<unknown> => new Promise((resolve) => child.once('exit', resolve));

it('three processes, killed at random: every accepted job takes effect, none is left', {
  timeout: 170_000,
}, async () => {
  const script = fc.array(fc.tuple(fc.nat(processes - 1), fc.integer({ min: 100, max: 900 })), {
    minLength: 2,
    maxLength: 4,
  });
  let runs = 0;
  const property = fc.asyncProperty(script, async (kills) => {
    runs += 1;
    const path = join(folder, `queue-${runs}.db`);
    const effectsPath = join(folder, `effects-${runs}.db`);
    const effects = new Libsql(effectsPath);
    effects.exec('PRAGMA journal_mode = WAL; CREATE TABLE effect (n INTEGER PRIMARY KEY, fence INTEGER, runs INTEGER)');
    const adapter = sqliteAdapter({ path, durability: 'normal' });
    const queue = createQueue({ adapter, jobs: [defineJob('work', z.number(), { maxAttempts: 100 })] });
    const workers = Array.from({ length: processes }, () => startWorker(path, effectsPath));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.stdout?.once('data', resolve))));
    for (let n = 0; n < jobs; n += 1) await queue.enqueue('work', n, { tenant: `t${n % 3}`, priority: n % 2 });
    for (const [victim, pause] of kills) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      workers[victim]?.kill('SIGKILL');
      workers[victim] = startWorker(path, effectsPath);
    }
    await expect
      .poll(
        async () => {
          const { ready, delayed, leased } = await queue.inspect.counts();
          return ready + delayed + leased;
        },
        { timeout: 60_000, interval: 100 },
      )
      .toBe(0);
    await Promise.all(
      workers.map((worker) => {
        worker.kill('SIGKILL');
        return exited(worker);
      }),
    );
    const { n } = effects.prepare('SELECT count(*) AS n FROM effect').get() as { n: number };
    expect(n).toBe(jobs);
    expect((await queue.inspect.counts()).dead).toBe(0);
    const [check] = new Libsql(path).prepare('PRAGMA integrity_check').all() as { integrity_check: string }[];
    expect(check?.integrity_check).toBe('ok');
    await queue.close();
    await adapter.close();
    effects.close();
  });
  await fc.assert(property, { numRuns: Number(process.env.KILL_RUNS ?? 2), endOnFailure: true });
});
