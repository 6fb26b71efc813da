import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { openStore } from './store.ts';
import { clone, work } from './worker.ts';

// The described system, ported: API and worker in one process over one SQLite file. Usage: main.ts FOLDER
const folder = process.argv[2] ?? '.';
const store = openStore(join(folder, 'baseline.db'));
const stopping = new AbortController();

/** Clones first and stores then, so whoever sends the request waits for the clone. */
async function createRun(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestedAt = Date.now();
  const { repo, command } = (await json(request)) as { repo: string; command: string };
  const id = randomUUID();
  const directory = join(folder, 'workspaces', id);
  await clone(repo, directory, `baseline/${id}`);
  store.add({ id, command, directory, branch: `baseline/${id}`, requested_at: requestedAt });
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id }));
}

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(store.all()));
    return;
  }
  createRun(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`ready at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => {
  stopping.abort();
  process.exit(0);
});
await work(store, stopping.signal);
