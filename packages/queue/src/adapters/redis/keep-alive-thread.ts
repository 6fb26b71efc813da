/**
 * The program of the heartbeat thread. It is text because a thread cannot load TypeScript on every supported Node, and because a bundle has no
 * second file to point at. `data`: ioredis (path), url, options, script, prefixes, session, lease, every, blockedLimit (ms), cells.
 * Cell 0: hrtime at which the last successful renewal was started. Cell 1: hrtime of the event loop's last sign of life.
 */
export const keepAliveThread: string = `
const { workerData: data } = require('node:worker_threads');
let client;

function connect() {
  const { Redis } = require(data.ioredis);
  const options = { ...data.options, maxRetriesPerRequest: 0, commandTimeout: data.every };
  client = data.url === undefined ? new Redis(options) : new Redis(data.url, options);
  client.on('error', () => {});
}

async function renew() {
  const startedAt = process.hrtime.bigint();
  // What hangs for ever must lose its jobs.
  if (startedAt - Atomics.load(data.cells, 1) > BigInt(data.blockedLimit) * 1000000n) return;
  const renewed = data.prefixes.map((prefix) => client.eval(data.script, 1, prefix, data.session, data.lease).catch(() => undefined));
  if ((await Promise.all(renewed)).every((alive) => alive === 1)) Atomics.store(data.cells, 0, startedAt);
}

// Loading the client takes 100 ms of a core. The worker has just begun, and its own first calls renew.
setTimeout(connect, data.every / 2);
setInterval(renew, data.every);
`;
