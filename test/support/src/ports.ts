import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// Below Linux's ephemeral range (32768–60999, `ip_local_port_range`): an outgoing connection of a neighbour can never
// take the port between a server's stop and its restart.
const FIRST = 12_000;
const LAST = 32_000; // a cluster node's bus takes port + 10000, still a legal port

/** A TCP port of 127.0.0.1 that nobody listens on, drawn at random so that parallel test processes hardly ever collide. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free TCP port between ${FIRST} and ${LAST} on 127.0.0.1: end some servers and try again.`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
