import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';

/** What a client asked of the fake engine. */
export interface EngineRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: Record<string, unknown>;
}

interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly spec: {
    Entrypoint: string[];
    Cmd: string[];
    Env: string[];
    WorkingDir: string;
    Labels: Record<string, string>;
  };
  socket?: Duplex;
  child?: ChildProcess;
  readonly exited: Promise<number>;
  readonly settle: (code: number) => void;
}

export interface FakeEngine extends AsyncDisposable {
  readonly requests: EngineRequest[];
  /** Names of the containers that are there. */
  names(): string[];
  /** Makes the next container end as the engine ends one that wanted too much memory. */
  outOfMemory: boolean;
}

/**
 * The part of Docker's API that a run needs, over a socket in the file system: containers are processes of this machine,
 * their output goes out in Docker's frames. It proves the requests and streams, not the isolation of a real engine.
 */
export async function startFakeEngine(socket: string): Promise<FakeEngine> {
  const containers = new Map<string, FakeContainer>();
  const requests: EngineRequest[] = [];
  const state = { outOfMemory: false };
  const find = (key: string): FakeContainer | undefined =>
    containers.get(key) ?? [...containers.values()].find(({ name }) => name === key);

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://engine');
    const path = url.pathname.replace(/^\/v[\d.]+/, '');
    const hasBody = request.headers['content-type'] === 'application/json' && request.headers['content-length'] !== '0';
    const body = hasBody ? ((await json(request)) as Record<string, unknown>) : undefined;
    requests.push({ method: request.method ?? '', path: path + url.search, ...(body && { body }) });
    const send = (status: number, value?: unknown): void => {
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(value === undefined ? '' : JSON.stringify(value));
    };
    if (path === '/_ping') return void response.end('OK');
    if (path.startsWith('/images/'))
      return path.includes('missing') ? send(404, { message: 'no such image' }) : send(200, {});
    if (path === '/containers/json')
      return send(
        200,
        [...containers.values()].map(({ id, spec }) => ({ Id: id, Labels: spec.Labels })),
      );
    if (path === '/containers/create') {
      const made = makeContainer(url.searchParams.get('name') ?? '', body as unknown as FakeContainer['spec']);
      containers.set(made.id, made);
      return send(201, { Id: made.id });
    }
    const [, key = '', action] = /^\/containers\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const container = find(key);
    if (!container) return send(404, { message: 'no such container' });
    switch (action ?? request.method) {
      case 'start':
        start(container);
        return send(204);
      case 'wait':
        return send(200, { StatusCode: await container.exited });
      case 'kill':
        killTree(container);
        return send(204);
      case 'json':
        return send(200, { State: { OOMKilled: state.outOfMemory } });
      default:
        killTree(container);
        containers.delete(container.id);
        return send(204);
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) =>
      response.writeHead(500).end(JSON.stringify({ message: String(error) })),
    );
  });
  server.on('upgrade', (request: IncomingMessage, stream: Duplex) => {
    const key = /containers\/([^/]+)\/attach/.exec(request.url ?? '')?.[1] ?? '';
    requests.push({ method: 'UPGRADE', path: request.url ?? '' });
    stream.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    const container = find(key);
    if (container) container.socket = stream;
    stream.on('error', () => {});
  });
  await listen(server, socket);
  return {
    requests,
    names: () => [...containers.values()].map(({ name }) => name),
    get outOfMemory() {
      return state.outOfMemory;
    },
    set outOfMemory(value) {
      state.outOfMemory = value;
    },
    async [Symbol.asyncDispose]() {
      for (const container of containers.values()) killTree(container);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function listen(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve) => server.listen(socket, resolve));
}

let made = 0;
function makeContainer(name: string, spec: FakeContainer['spec']): FakeContainer {
  let settle: (code: number) => void = () => {};
  const exited = new Promise<number>((resolve) => {
    settle = resolve;
  });
  made += 1;
  return { id: `c${made}`, name, spec, exited, settle };
}

function start(container: FakeContainer): void {
  const { spec, socket } = container;
  const [command = '', ...args] = [...spec.Entrypoint, ...spec.Cmd];
  const env = Object.fromEntries(spec.Env.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]));
  const child = spawn(command, args, { cwd: spec.WorkingDir, env, detached: true, stdio: 'pipe' });
  container.child = child;
  socket?.pipe(child.stdin, { end: true });
  child.stdin.on('error', () => {});
  child.stdout.on('data', (chunk: Buffer) => socket?.write(frame(1, chunk)));
  child.stderr.on('data', (chunk: Buffer) => socket?.write(frame(2, chunk)));
  child.once('close', (code) => {
    socket?.end();
    container.settle(code ?? 137);
  });
}

/** Eight bytes before each piece: which stream, and how long. */
function frame(stream: number, chunk: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt8(stream, 0);
  head.writeUInt32BE(chunk.length, 4);
  return Buffer.concat([head, chunk]);
}

function killTree({ child }: FakeContainer): void {
  if (child?.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
