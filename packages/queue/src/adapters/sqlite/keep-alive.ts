import type { KeepAlive, KeepAliveRequest } from '../../contract/index.ts';
import { startKeepAliveThread } from '../keep-alive-thread.ts';
import { driverModules } from './driver.ts';

/** The thread opens a connection of its own when it is first needed. `data`: from (where drivers are looked for), drivers, path, queue. */
const storePart = `
const load = require('node:module').createRequire(data.from);
let database, statement;
function open() {
  for (const name of data.drivers) {
    try {
      const loaded = load(name);
      const Database = [loaded, loaded.DatabaseSync, loaded.default].find((candidate) => typeof candidate === 'function');
      return new Database(data.path);
    } catch {}
  }
}
function renew() {
  if (database === undefined) {
    database = open();
    database.exec('PRAGMA busy_timeout = 2000');
    statement = database.prepare(
      'UPDATE millrace_session SET expires_at = ? WHERE queue = ? AND id = ? AND over = 0 AND expires_at > ? RETURNING 1 AS renewed');
  }
  const now = Date.now();
  return statement.all(now + data.lease, data.queue, data.session, now).length === 1;
}
function close() {
  if (database !== undefined) database.close();
}
`;

/** Renews a session of the file at `path` from a thread that a busy event loop cannot block. */
export function keepAlive(path: string, queue: number, request: KeepAliveRequest): KeepAlive {
  return startKeepAliveThread(storePart, { path, queue, from: import.meta.url, drivers: driverModules }, request);
}
