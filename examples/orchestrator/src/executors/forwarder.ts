import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

/**
 * The one way out of a sandbox without network: a program inside listens on the port that the agent calls and hands each
 * connection to a socket in the file system, behind which this process carries it to the one address that is allowed.
 */
export interface WayOut extends AsyncDisposable {
  /** The socket's path. */
  readonly socket: string;
}

/** Runs inside, in Node: node -e TEXT SOCKET PORT. It says when it listens, so that no call comes too early. */
export const insideForwarder = `
const { createServer, connect } = require('node:net');
const [socket, port] = process.argv.slice(1);
const server = createServer((caller) => {
  const out = connect(socket);
  caller.pipe(out).pipe(caller);
  caller.on('error', () => out.destroy());
  out.on('error', () => caller.destroy());
});
server.listen(Number(port), '127.0.0.1', () => process.stdout.end('\\n'));
`;

/** Starts the inside forwarder, waits until it listens, and becomes the program. $1 node, $2 text, $3 socket, $4 port. */
export const startInside = `
{ "$1" -e "$2" "$3" "$4" 2>/dev/null & } | read -r _
shift 4
exec "$@"`;

/** @param target the address that is allowed: scheme, host and port of a URL */
export async function openWayOut(socket: string, target: string): Promise<WayOut> {
  const { hostname, port, protocol } = new URL(target);
  const destination = { host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)) };
  const server = createServer((caller) => {
    const out = connect(destination);
    caller.pipe(out).pipe(caller);
    caller.on('error', () => out.destroy());
    out.on('error', () => caller.destroy());
  });
  server.listen(socket);
  await once(server, 'listening');
  return { socket, [Symbol.asyncDispose]: () => closeServer(server) };
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}
