import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { KeepAlive, KeepAliveRequest, QueueStorage } from '../../contract/index.ts';
import { keepAliveThread } from './keep-alive-thread.ts';

/** Milliseconds between two signs of life of the event loop. */
const signOfLifeEvery = 250;

/** @returns how to keep a session alive from a thread with a connection of its own; undefined when `pg` cannot be found from a thread */
export function createKeepAlive(url: string, statement: string, number: () => number): QueueStorage['keepAlive'] {
  const pg = locatePg();
  if (pg === undefined) return undefined;
  return (request) => startThread(request, { url, statement, pg, number: number() });
}

function startThread(
  { session, lease, every, blockedLimit }: KeepAliveRequest,
  data: { readonly url: string; readonly statement: string; readonly pg: string; readonly number: number },
): KeepAlive {
  const cells = new BigInt64Array(new SharedArrayBuffer(16));
  const aliveNow = (): void => void Atomics.store(cells, 1, process.hrtime.bigint());
  aliveNow();
  const timer = setInterval(aliveNow, signOfLifeEvery);
  timer.unref();
  const workerData = {
    ...data,
    session,
    lease: Math.round(lease),
    every,
    blockedLimit: Math.round(blockedLimit),
    cells,
  };
  const thread = new Worker(keepAliveThread, { eval: true, workerData, execArgv: [] });
  thread.unref();
  // Without the thread the worker's own exchanges renew; the watch over the lease sees what is certain.
  thread.on('error', () => undefined);
  const offset = performance.now() - Number(process.hrtime.bigint()) / 1e6;
  return {
    renewedAt: () => {
      const renewed = Atomics.load(cells, 0);
      return renewed === 0n ? undefined : Number(renewed) / 1e6 + offset;
    },
    stop: async () => {
      clearInterval(timer);
      await thread.terminate();
    },
  };
}

function locatePg(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('pg');
  } catch {
    return undefined;
  }
}
