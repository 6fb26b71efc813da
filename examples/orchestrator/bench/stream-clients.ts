import { connect, type Socket } from 'node:net';

// Many clients of live events in one process, as bare sockets, so that they cost little themselves.
// Usage: stream-clients.ts URL CLIENTS RUN…; it says "connected", and answers each line on stdin with its figures so far.
const [url = '', clients = '0', ...runs] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const delays: number[] = [];
let connected = 0;
let closed = 0;

/** The bench writes the time into the text of each line. */
function hear(chunk: Buffer): void {
  const now = Date.now();
  for (const [, at] of chunk.toString('latin1').matchAll(/"text":"at (\d+)"/g)) delays.push(now - Number(at));
}

function open(run: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => {
      socket.write(
        `GET /v1/runs/${run}/events HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept: text/event-stream\r\n\r\n`,
      );
    });
    socket.once('data', (chunk) => {
      if (!chunk.toString('latin1').startsWith('HTTP/1.1 200')) return reject(new Error(chunk.toString()));
      connected += 1;
      hear(chunk);
      socket.on('data', hear);
      resolve(socket);
    });
    socket.once('close', () => {
      closed += 1;
    });
    socket.once('error', reject);
  });
}

const total = Number(clients);
for (let index = 0; index < total; index += 100) {
  const batch = Array.from({ length: Math.min(100, total - index) }, (_, more) => index + more);
  await Promise.all(batch.map((client) => open(runs[client % runs.length] ?? '')));
}
process.stdout.write('connected\n');
process.stdin.on('data', () => {
  process.stdout.write(`${JSON.stringify({ connected, closed, delays: delays.splice(0) })}\n`);
});
