import { Worker } from 'node:worker_threads';
import type { KeepAlive, KeepAliveRequest } from '../contract/index.ts';

/** Milliseconds between two signs of life that the event loop gives the thread. */
const signOfLifeEvery = 250;

/**
 * The program of a heartbeat thread. It is text because a thread cannot load TypeScript on every supported Node, and because a bundle has no second
 * file to point at.
 *
 * `data` has what the store's part was given, and of the request session, lease, every and blockedLimit (ms). Its cells are nanoseconds of the
 * monotonic clock that all threads share: 0, at which the last successful renewal was started; 1, of the event loop's last sign of life.
 *
 * @param storePart - text that defines `renew()`, which answers (or promises) whether the session is alive, and `close()`
 */
function programOf(storePart: string): string {
  return `
const { workerData: data, parentPort } = require('node:worker_threads');
const cells = new BigInt64Array(data.cells);
${storePart}
let busy = false;
async function beat() {
  const startedAt = process.hrtime.bigint();
  // What hangs for ever must lose its jobs.
  if (busy || startedAt - Atomics.load(cells, 1) > BigInt(data.blockedLimit) * 1000000n) return;
  busy = true;
  try {
    if (await renew()) Atomics.store(cells, 0, startedAt);
  } catch {
    // The next beat tries again; the worker sees how long ago the last one succeeded.
  } finally {
    busy = false;
  }
}
setInterval(beat, data.every);
parentPort.once('message', () => {
  close();
  process.exit();
});
`;
}

/**
 * Renews a session from a thread that a blocked event loop cannot stop. Without the thread, should it fail to start, the worker's own exchanges
 * renew; the watch over the lease sees what is certain.
 *
 * @param storePart - see above; @param data - for it, as a thread can be given it
 */
export function startKeepAliveThread(storePart: string, data: object, request: KeepAliveRequest): KeepAlive {
  const { session, lease, every, blockedLimit } = request;
  const shared = new SharedArrayBuffer(16);
  const cells = new BigInt64Array(shared);
  const giveSign = (): void => void Atomics.store(cells, 1, process.hrtime.bigint());
  giveSign();
  const timer = setInterval(giveSign, signOfLifeEvery);
  timer.unref();
  const whole = { lease: Math.round(lease), blockedLimit: Math.round(blockedLimit) };
  const workerData = { ...data, ...whole, session, every, cells: shared };
  // Without execArgv the thread would inherit loaders and conditions that it does not need.
  const thread = new Worker(programOf(storePart), { eval: true, workerData, execArgv: [] });
  thread.unref();
  thread.on('error', () => undefined);
  const ended = new Promise((resolve) => thread.once('exit', resolve));
  return {
    renewedAt: () => {
      const at = Atomics.load(cells, 0);
      return at === 0n ? undefined : performance.now() - Number(process.hrtime.bigint() - at) / 1e6;
    },
    stop: async () => {
      clearInterval(timer);
      // Whoever waits for this must not see the process end first for want of anything else to do.
      thread.ref();
      thread.postMessage('stop');
      await ended;
    },
  };
}
