import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../files.ts';
import { authorized, type GitAuth } from './auth.ts';
import { serveGit } from './backend.ts';
import { configureServed, git } from './command.ts';

/** Options of {@link startGitServer}. */
export interface GitServerOptions {
  /** Folder whose bare repositories are served. @default a temporary one */
  readonly root?: string;
  /** Allow partial clones (`uploadpack.allowFilter`) and fetches of any commit by id. @default true */
  readonly allowFilter?: boolean;
  /** Who may come in: a user with a password, or a bearer token. @default everybody */
  readonly auth?: GitAuth;
  /** Milliseconds before every answer. @default 0 */
  readonly latencyMs?: number;
}

/** One request that the server has had. */
export interface GitRequest {
  readonly method: string;
  /** Path with query. */
  readonly url: string;
  readonly protocol: string | undefined;
  /** Scheme of the Authorization header (never its secret), undefined where there was none. */
  readonly authorization: string | undefined;
  /** Set once the answer has begun. */
  status: number | undefined;
  /** Bytes of the answer's body so far. */
  bytes: number;
}

/** A git server that speaks smart HTTP (protocol version 2). */
export interface GitServer extends AsyncDisposable {
  readonly url: string;
  readonly root: string;
  readonly port: number;
  /** Every request since the start, the oldest first. */
  readonly requests: GitRequest[];
  /** Makes a bare repository, empty or a mirror of `from` (path, bundle or URL), and answers its URL. */
  createRepo(name: string, from?: string): Promise<string>;
  /** Milliseconds before every answer from now on. */
  latency(ms: number): void;
  /** Answers the next `times` requests with this status instead of serving them. */
  fail(status: number, times?: number): void;
  /** From now on only these may come in; undefined lets everybody in. */
  setAuth(auth: GitAuth | undefined): void;
  stop(): Promise<void>;
}

/**
 * Starts a git server on 127.0.0.1: `git http-backend` behind node:http, with push allowed.
 * It lives in the test process and ends with it.
 */
export async function startGitServer(options: GitServerOptions = {}): Promise<GitServer> {
  const root = options.root ?? (await temporaryDirectory('git-server')).path;
  await mkdir(root, { recursive: true });
  const state = { auth: options.auth, latencyMs: options.latencyMs ?? 0, failures: [] as number[] };
  const requests: GitRequest[] = [];
  const server = createServer((request, response) => {
    const entry = record(request, response);
    requests.push(entry);
    answer(request, response, entry, root, state).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const stop = (): Promise<void> => close(server);
  return {
    url,
    root,
    port,
    requests,
    async createRepo(name, from) {
      await createServed(join(root, name), from, options.allowFilter ?? true);
      return `${url}/${name}`;
    },
    latency(ms) {
      state.latencyMs = ms;
    },
    fail(status, times = 1) {
      state.failures.push(...Array.from({ length: times }, () => status));
    },
    setAuth(auth) {
      state.auth = auth;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function createServed(path: string, from: string | undefined, allowFilter: boolean): Promise<void> {
  if (from === undefined) await git(['init', '--quiet', '--bare', '--initial-branch=main', path]);
  else await git(['clone', '--quiet', '--mirror', from, path]);
  await configureServed(path, allowFilter);
}

function record(request: IncomingMessage, response: ServerResponse): GitRequest {
  const entry: GitRequest = {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    protocol: request.headers['git-protocol'] as string | undefined,
    authorization: request.headers.authorization?.split(' ')[0],
    status: undefined,
    bytes: 0,
  };
  response.once('finish', () => {
    entry.status = response.statusCode;
  });
  return entry;
}

interface ServerState {
  auth: GitAuth | undefined;
  latencyMs: number;
  readonly failures: number[];
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  entry: GitRequest,
  root: string,
  state: ServerState,
): Promise<void> {
  if (state.latencyMs > 0) await sleep(state.latencyMs);
  const failure = state.failures.shift();
  if (failure !== undefined) {
    response.writeHead(failure, { connection: 'close' }).end('The test asked for this failure.\n');
    return;
  }
  if (!authorized(request.headers.authorization, state.auth)) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="millrace-test"' }).end('Who are you?\n');
    return;
  }
  await serveGit(
    request,
    response,
    root,
    (status) => {
      entry.status = status;
    },
    (bytes) => {
      entry.bytes += bytes;
    },
  );
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
