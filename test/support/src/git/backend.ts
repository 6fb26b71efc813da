import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { gitEnvironment } from './command.ts';

/** Runs `git http-backend`, a CGI program, for one request. */
export async function serveGit(
  request: IncomingMessage,
  response: ServerResponse,
  root: string,
  onStatus: (status: number) => void,
  onBytes: (bytes: number) => void,
): Promise<void> {
  // Repositories of a test may belong to another user than the one that serves them.
  const backend = spawn('git', ['-c', 'safe.directory=*', 'http-backend'], {
    env: { ...gitEnvironment(), ...cgiVariables(request, root) },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(backend, 'exit');
  // A client that goes away takes its git process with it.
  const gone = new Promise<void>((resolve) => {
    response.once('close', () => {
      backend.kill();
      resolve();
    });
  });
  const write = async (chunk: Buffer): Promise<void> => {
    onBytes(chunk.length);
    if (!response.write(chunk)) await Promise.race([once(response, 'drain'), gone]);
  };
  // git closes its input as soon as it knows enough; the rest of the request is of no interest then.
  pipeline(request, backend.stdin).catch(() => {});
  let header = Buffer.alloc(0);
  for await (const chunk of backend.stdout as AsyncIterable<Buffer>) {
    if (response.headersSent) {
      await write(chunk);
      continue;
    }
    header = Buffer.concat([header, chunk]);
    const end = header.indexOf('\r\n\r\n');
    if (end < 0) continue;
    onStatus(writeHead(response, header.subarray(0, end).toString()));
    await write(header.subarray(end + 4));
  }
  await exited;
  if (!response.headersSent) response.writeHead(500);
  response.end();
}

/** RFC 3875 meta-variables, and those of git-http-backend(1). */
function cgiVariables(request: IncomingMessage, root: string): Record<string, string> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  const headers = request.headers;
  return {
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: decodeURIComponent(pathname),
    QUERY_STRING: searchParams.toString(),
    CONTENT_TYPE: headers['content-type'] ?? '',
    CONTENT_LENGTH: headers['content-length'] ?? '',
    HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
    GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    REMOTE_USER: 'test',
    REMOTE_ADDR: '127.0.0.1',
  };
}

/** Translates CGI headers; answers the status. */
function writeHead(response: ServerResponse, text: string): number {
  let status = 200;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.writeHead(status);
  return status;
}
