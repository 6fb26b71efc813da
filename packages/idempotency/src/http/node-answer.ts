import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Answer } from './problem.ts';

/** Sends an answer in the place of whatever the handler has prepared. */
export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.statusCode = status;
  response.statusMessage = '';
  for (const [name, value] of headers) response.appendHeader(name, value);
  if (body === undefined) {
    response.end();
  } else if (body instanceof Uint8Array) {
    response.setHeader('content-length', body.byteLength);
    response.end(body);
  } else {
    const source = Readable.fromWeb(body as never);
    source.on('error', (error) => response.destroy(error));
    source.pipe(response);
  }
}
