import { createRequire } from 'node:module';
import type { QueueStorage } from '../../contract/index.ts';
import { startKeepAliveThread } from '../keep-alive-thread.ts';

/** `data`: pg (path), url, statement, number (of the queue). */
const storePart = `
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
async function renew() {
  try {
    const { rows } = await (await connected()).query(data.statement, [data.number, data.session, data.lease]);
    return rows[0].alive;
  } catch {
    close();
    return false;
  }
}
function close() {
  client?.end().catch(() => {});
  client = undefined;
}
`;

/** @returns how to keep a session alive from a thread with a connection of its own; undefined when `pg` cannot be found from a thread */
export function createKeepAlive(url: string, statement: string, number: () => number): QueueStorage['keepAlive'] {
  const pg = locatePg();
  if (pg === undefined) return undefined;
  return (request) => startKeepAliveThread(storePart, { url, statement, pg, number: number() }, request);
}

function locatePg(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('pg');
  } catch {
    return undefined;
  }
}
