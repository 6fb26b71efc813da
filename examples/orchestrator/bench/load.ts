import { Agent, type RequestOptions, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** Begins `total` operations at an even rate, whatever the earlier ones do (an open loop), and waits for all. */
export async function atRate(total: number, perSecond: number, operation: (index: number) => Promise<unknown>) {
  const begin = performance.now();
  const under: Promise<unknown>[] = [];
  for (let index = 0; index < total; index++) {
    const wait = begin + (index * 1000) / perSecond - performance.now();
    if (wait > 1) await sleep(wait);
    under.push(operation(index));
  }
  await Promise.all(under);
}

/** Milliseconds that an operation takes. */
export async function timed(operation: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await operation();
  return performance.now() - begin;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Connections that stay open; the client of node:http costs a third of the processor time of `fetch`. */
const agent = new Agent({ keepAlive: true, maxSockets: 256 });

export function postJson(url: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const bytes = Buffer.from(JSON.stringify(body));
  const all = { 'content-type': 'application/json', 'content-length': bytes.length, ...headers };
  return send(url, { method: 'POST', agent, headers: all }, bytes);
}

/**
 * A server may close an idle connection at the very moment at which it is used again; nothing was answered then, and what
 * the benches send may be sent twice (a key or a delivery id is in it).
 */
function send(url: string, options: RequestOptions, bytes: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      text(response).then((read) => resolve({ status: response.statusCode ?? 0, text: read }), reject);
    });
    sent.once('error', (error: NodeJS.ErrnoException) => {
      const wasClosed = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      if (wasClosed) resolve(send(url, options, bytes));
      else reject(error);
    });
    sent.end(bytes);
  });
}
