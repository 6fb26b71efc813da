import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@millrace/test-support';
import { afterEach, describe, expect, test } from 'vitest';
import { openMill } from './mill.ts';

const script = fileURLToPath(new URL('./child.ts', import.meta.url));

interface Child {
  readonly process: ChildProcess;
  /** Ids told with this word so far. */
  heard(what: string): readonly string[];
}

const children = new Set<ChildProcess>();

function start(url: string, role: string, ...args: string[]): Child {
  const options = ['--conditions=@millrace/source', '--import', 'tsx', script, role, url, ...args];
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  const lines: (readonly string[])[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line.split(' ')));
  return {
    process: child,
    heard: (what) => lines.filter(([word]) => word === what).map(([, id = '']) => id),
  };
}

async function kill({ process: child }: Child): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Processes that die or stand still. @param freshUrl - of an empty store of its own for each test */
export function describeProcessFaults(freshUrl: () => Promise<string>): void {
  describe('processes that die or stand still', () => {
    afterEach(() => {
      for (const child of children) child.kill('SIGKILL');
      children.clear();
    });

    test('kill -9 of a worker in the middle of its jobs: they are done by another', async () => {
      const url = await freshUrl();
      await using mill = openMill(url);
      const ids = await mill.enqueueAll(5);
      const doomed = start(url, 'worker', '600000');
      await waitFor(() => doomed.heard('started').length === 5, { what: 'the worker to hold all jobs' });
      await kill(doomed);
      mill.startWorker();
      await mill.untilDone(ids);
      expect([...mill.ledger.acks.keys()].sort()).toEqual([...ids].sort());
    });

    test('kill -9 of a producer while it enqueues: what it was told is accepted is there', async () => {
      const url = await freshUrl();
      await using mill = openMill(url);
      const producer = start(url, 'producer');
      await waitFor(() => producer.heard('accepted').length > 200, { what: 'the producer to be busy' });
      await kill(producer);
      mill.startWorker({ concurrency: 100 });
      await mill.untilDone(producer.heard('accepted'));
    });

    test('SIGSTOP beyond the lease, then SIGCONT: the work is taken over, the late ack has no effect', async () => {
      const url = await freshUrl();
      await using mill = openMill(url);
      const ids = await mill.enqueueAll(2);
      const sleeper = start(url, 'worker', '1000');
      await waitFor(() => sleeper.heard('started').length === 2, { what: 'the worker to hold all jobs' });
      sleeper.process.kill('SIGSTOP');
      mill.startWorker();
      await mill.untilDone(ids);
      sleeper.process.kill('SIGCONT');
      await waitFor(() => sleeper.heard('returned').length === 2, { what: 'the late handlers to return' });
      expect(sleeper.heard('aborted').length).toBe(2);
      expect(sleeper.heard('acked')).toEqual([]);
      expect(mill.ledger.acks.size).toBe(2);
    });

    test('an event loop blocked for longer than the lease keeps its jobs: the thread renews', async () => {
      const url = await freshUrl();
      await using blocked = openMill(url);
      await using rival = openMill(url);
      const [id = ''] = await blocked.enqueueAll(1);
      let started = false;
      blocked.startWorker({
        handler: async () => {
          // The first renewal of the thread must have come before the loop stops.
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          started = true;
          const until = performance.now() + 2_500;
          while (performance.now() < until);
        },
      });
      await waitFor(() => started);
      rival.startWorker();
      await waitFor(() => blocked.ledger.acks.has(id), { what: 'the blocked worker to ack' });
      expect(rival.ledger.runs.size).toBe(0);
    });
  });
}
