import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type GitServer, startGitServer } from '@millrace/test-support';

/** A git server with LFS beside it: the batch API, the basic transfer, and faults on command. */
export interface LfsTestServer extends AsyncDisposable {
  readonly url: string;
  readonly git: GitServer;
  /** Contents by their hash. */
  readonly objects: Map<string, Buffer>;
  /** Operations that the batch API was asked for, and transfers, the oldest first. */
  readonly calls: string[];
  /** What to do with downloads. @default 'serve' */
  fault: 'serve' | 'lie' | 'cut' | 'extra' | 'redirect' | 'elsewhere';
  /** Needed for the batch API, as `user:password`. */
  auth: string | undefined;
  /** Adds a content and gives its pointer. */
  add(content: Buffer): string;
}

/** The pointer that stands for a content. */
export function pointerTo(content: Buffer): string {
  const oid = createHash('sha256').update(content).digest('hex');
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/vnd.git-lfs+json' }).end(JSON.stringify(body));
}

type State = Pick<LfsTestServer, 'url' | 'objects' | 'calls' | 'fault' | 'auth'>;

interface Question {
  readonly operation: 'download' | 'upload';
  readonly objects: readonly { readonly oid: string; readonly size: number }[];
}

async function batch(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const expected = state.auth && `Basic ${Buffer.from(state.auth).toString('base64')}`;
  if (expected !== undefined && request.headers.authorization !== expected) return json(response, 401, {});
  const { operation, objects } = JSON.parse((await bodyOf(request)).toString()) as Question;
  state.calls.push(`batch ${operation} ${objects.length}`);
  const href = (oid: string): string => `${state.url}/objects/${oid}`;
  const header = { 'x-ticket': 'issued-by-batch' };
  const answers = objects.map(({ oid, size }) => {
    if (operation === 'upload') {
      const actions = { upload: { href: href(oid), header }, verify: { href: `${state.url}/verify`, header } };
      return { oid, size, ...(state.objects.has(oid) ? {} : { actions }) };
    }
    if (!state.objects.has(oid)) return { oid, size, error: { code: 404, message: 'no such object' } };
    const place = state.fault === 'elsewhere' ? `file:///objects/${oid}` : href(oid);
    return { oid, size, actions: { download: { href: place, header } } };
  });
  json(response, 200, { transfer: 'basic', objects: answers });
}

async function transfer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const oid = (request.url ?? '').split('/').at(-1) as string;
  state.calls.push(
    `${request.method} ${request.headers['x-ticket']} ${request.headers['content-length'] ?? ''}`.trim(),
  );
  if (request.method === 'PUT') {
    const content = await bodyOf(request);
    if (createHash('sha256').update(content).digest('hex') !== oid) return json(response, 422, {});
    state.objects.set(oid, content);
    return json(response, 200, {});
  }
  const content = state.objects.get(oid) ?? Buffer.alloc(0);
  if (state.fault === 'redirect' && !request.url?.includes('again')) {
    response.writeHead(307, { location: `/again/objects/${oid}` }).end();
  } else if (state.fault === 'lie') response.end(Buffer.alloc(content.length, 'x'));
  else if (state.fault === 'extra') response.end(Buffer.concat([content, Buffer.from('more')]));
  else if (state.fault === 'cut') {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, content.length >> 1), () => response.destroy());
  } else response.end(content);
}

function toGit(git: GitServer, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = request;
  const onward = forward(new URL(request.url ?? '/', git.url), { ...(method && { method }), headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}

/** Starts it; repositories of `git` are reached through `url`. */
export async function startLfsServer(): Promise<LfsTestServer> {
  const git = await startGitServer();
  const objects = new Map<string, Buffer>();
  const state = { url: '', objects, calls: [] as string[], fault: 'serve' as const, auth: undefined };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path.endsWith('/info/lfs/objects/batch')) void batch(lfs, request, response);
    else if (path.includes('/objects/') && !path.includes('.git/')) void transfer(lfs, request, response);
    else if (path === '/verify') {
      lfs.calls.push('verify');
      json(response, 200, {});
    } else toGit(git, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const lfs: LfsTestServer = {
    ...state,
    git,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (content) => {
      const pointer = pointerTo(content);
      objects.set(/sha256:(\w+)/.exec(pointer)?.[1] as string, content);
      return pointer;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await git.stop();
    },
  };
  return lfs;
}
