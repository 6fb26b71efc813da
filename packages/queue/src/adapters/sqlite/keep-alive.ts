import { Worker } from 'node:worker_threads';
import type { KeepAlive, KeepAliveRequest } from '../../contract/index.ts';
import { driverModules } from './driver.ts';

/**
 * The thread, as source text: it needs no loader, so it runs the same from the package's `dist`, under tsx and under vitest.
 * It opens its own connection and renews the session, as long as the main thread shows (by `clock[1]`) that its event loop still turns.
 * `clock[0]` receives the time at which the last successful renewal was started; both are nanoseconds of the process-wide monotonic clock.
 */
const source = `
const { workerData, parentPort } = require('node:worker_threads');
const { createRequire } = require('node:module');
const load = createRequire(workerData.from);
function open() {
  for (const name of workerData.drivers) {
    try {
      const loaded = load(name);
      const Database = [loaded, loaded.DatabaseSync, loaded.default].find((candidate) => typeof candidate === 'function');
      return new Database(workerData.path);
    } catch {}
  }
}
const clock = new BigInt64Array(workerData.clock);
let database, renew;
function beat() {
  const startedAt = process.hrtime.bigint();
  if (startedAt - Atomics.load(clock, 1) > BigInt(workerData.blockedLimit) * 1000000n) return;
  try {
    if (database === undefined) {
      database = open();
      database.exec('PRAGMA busy_timeout = 2000');
      renew = database.prepare(
        'UPDATE millrace_session SET expires_at = ? WHERE queue = ? AND id = ? AND over = 0 AND expires_at > ? RETURNING 1 AS renewed');
    }
    const now = Date.now();
    const rows = renew.all(now + workerData.lease, workerData.queue, workerData.session, now);
    if (rows.length === 1) Atomics.store(clock, 0, startedAt);
  } catch {}
}
const timer = setInterval(beat, workerData.every);
parentPort.once('message', () => {
  clearInterval(timer);
  if (database !== undefined) database.close();
  parentPort.close();
});
`;

/** Milliseconds between the signs of life that the main thread gives the other one. */
const tick = 250;

/** Renews a session from a thread that a busy event loop cannot block. */
export function keepAlive(path: string, queue: number, request: KeepAliveRequest): KeepAlive {
  const shared = new SharedArrayBuffer(16);
  const clock = new BigInt64Array(shared);
  const turn = (): void => void Atomics.store(clock, 1, process.hrtime.bigint());
  turn();
  const { session, lease, every, blockedLimit } = request;
  const workerData = {
    path,
    queue,
    session,
    lease,
    every,
    blockedLimit,
    clock: shared,
    from: import.meta.url,
    drivers: driverModules,
  };
  // Without execArgv the thread would inherit loaders and conditions that it does not need.
  const thread = new Worker(source, { eval: true, workerData, execArgv: [] });
  thread.unref();
  // Without the thread the worker's own exchanges renew the session, only not while the loop is blocked.
  thread.on('error', () => undefined);
  const timer = setInterval(turn, tick);
  timer.unref();
  return {
    renewedAt: () => {
      const at = Atomics.load(clock, 0);
      return at === 0n ? undefined : performance.now() - Number(process.hrtime.bigint() - at) / 1e6;
    },
    stop: async () => {
      clearInterval(timer);
      const ended = new Promise((resolve) => thread.once('exit', resolve));
      // Whoever waits for this must not see the process end first for want of anything else to do.
      thread.ref();
      thread.postMessage('stop');
      await ended;
    },
  };
}
