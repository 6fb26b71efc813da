/**
 * The program of the heartbeat thread. It is text because a thread cannot load TypeScript on every supported Node, and because a bundle has no
 * second file to point at. `data`: pg (path), url, statement, number, session, lease, every, blockedLimit (ms), cells.
 * Cell 0: hrtime at which the last successful renewal was started. Cell 1: hrtime of the event loop's last sign of life.
 */
export const keepAliveThread: string = `
const { workerData: data } = require('node:worker_threads');
const { Client } = require(data.pg);

let client;
async function connected() {
  if (client !== undefined) return client;
  const fresh = new Client({ connectionString: data.url, connectionTimeoutMillis: data.every, query_timeout: data.every, application_name: 'millrace keep-alive' });
  const lose = () => { if (client === fresh) client = undefined; };
  fresh.on('error', lose);
  fresh.on('end', lose);
  await fresh.connect();
  client = fresh;
  return client;
}

let busy = false;
async function renew() {
  const startedAt = process.hrtime.bigint();
  // What hangs for ever must lose its jobs.
  if (busy || startedAt - Atomics.load(data.cells, 1) > BigInt(data.blockedLimit) * 1000000n) return;
  busy = true;
  try {
    const { rows } = await (await connected()).query(data.statement, [data.number, data.session, data.lease]);
    if (rows[0].alive) Atomics.store(data.cells, 0, startedAt);
  } catch {
    client?.end().catch(() => {});
    client = undefined;
  } finally {
    busy = false;
  }
}

setInterval(renew, data.every);
`;
