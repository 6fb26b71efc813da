import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createFakeRepo, type FakeRepo } from './fake-github-repo.ts';
import { githubDescription } from './github-description.ts';

/** Something that goes wrong with requests that match. */
export interface GithubFault {
  readonly when: (method: string, path: string) => boolean;
  /** The effect has happened before it goes wrong. @default true */
  readonly afterEffect?: boolean;
  /** A status to answer; the connection cut; or silence for ever. */
  readonly answer:
    | { readonly status: number; readonly body?: object; readonly headers?: Record<string, string> }
    | 'cut'
    | 'hang';
  /** Requests it happens to. @default 1 */
  times?: number;
}

/** GitHub's REST interface on loopback, as far as the orchestrator uses it. */
export interface FakeGithub extends AsyncDisposable {
  readonly url: string;
  readonly repo: FakeRepo;
  /** Every request: method and path with query. */
  readonly requests: string[];
  /** `Authorization` of every request. */
  readonly authorizations: string[];
  /** What requests, or our own answers, have that GitHub's description has not. */
  readonly violations: string[];
  fail(fault: GithubFault): void;
  /** Takes back the faults that have not happened. */
  heal(): void;
}

export interface FakeGithubOptions {
  readonly owner: string;
  readonly name: string;
  /** Who may come in. @default everybody */
  readonly authorize?: (header: string, path: string) => boolean;
}

export async function startFakeGithub(options: FakeGithubOptions): Promise<FakeGithub> {
  const repo = createFakeRepo(options);
  const state = {
    faults: [] as GithubFault[],
    requests: [] as string[],
    authorizations: [] as string[],
    violations: [] as string[],
  };
  const server = createServer((request, response) => {
    handle(request, response, repo, options, state).catch((error: unknown) => {
      state.violations.push(`the fake itself: ${String(error)}`);
      response.writeHead(500).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repo,
    requests: state.requests,
    authorizations: state.authorizations,
    violations: state.violations,
    fail: (fault) => state.faults.push({ times: 1, ...fault }),
    heal: () => state.faults.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface State {
  readonly faults: GithubFault[];
  readonly requests: string[];
  readonly authorizations: string[];
  readonly violations: string[];
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  repo: FakeRepo,
  { authorize = () => true }: FakeGithubOptions,
  state: State,
): Promise<void> {
  const { method = 'GET' } = request;
  const url = new URL(request.url ?? '/', 'http://localhost');
  const body = await bodyOf(request);
  state.requests.push(`${method} ${url.pathname}${url.search}`);
  state.authorizations.push(request.headers.authorization ?? '');
  state.violations.push(...githubDescription().request(method, url.pathname, url.searchParams, body));
  const send = (status: number, answer: object | undefined, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(answer === undefined ? '' : JSON.stringify(answer));
  };
  if (!authorize(request.headers.authorization ?? '', url.pathname)) return send(401, { message: 'Bad credentials' });
  const fault = state.faults.find((one) => (one.times ?? 1) > 0 && one.when(method, url.pathname));
  if (fault) fault.times = (fault.times ?? 1) - 1;
  if (fault?.afterEffect === false) return fail(fault, response, send);
  const answer = repo.answer(method, url.pathname, url.searchParams, body as Record<string, unknown> | undefined);
  if (fault) return fail(fault, response, send);
  if (answer.status < 300 && answer.body && answer.status !== 202) {
    state.violations.push(...githubDescription().answer(method, url.pathname, answer.status, answer.body));
  }
  send(answer.status, answer.body);
}

function fail(
  fault: GithubFault,
  response: ServerResponse,
  send: (status: number, body: object, headers?: Record<string, string>) => void,
): void {
  if (fault.answer === 'hang') return;
  if (fault.answer === 'cut') return void response.destroy();
  const { status, body = { message: 'It failed' }, headers = {} } = fault.answer;
  send(status, body, headers);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}
