import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { V1Job, V1Pod } from '@kubernetes/client-node';

interface FakeJob {
  readonly job: V1Job;
  readonly pod: V1Pod;
  readonly log: string[];
  readonly ended: Promise<void>;
  readonly stop: () => void;
}

export interface FakeCluster extends AsyncDisposable {
  readonly url: string;
  readonly created: V1Job[];
  names(): string[];
  /** The reason that the next container that ends gives. */
  reason: string | undefined;
}

/** The part of the Kubernetes API that a run needs, over HTTP: the container of a job is a process of this machine. */
export async function startFakeCluster(): Promise<FakeCluster> {
  const jobs = new Map<string, FakeJob>();
  const created: V1Job[] = [];
  const state: { reason: string | undefined } = { reason: undefined };
  const send = (response: ServerResponse, status: number, value: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://cluster');
    const selector = url.searchParams.get('labelSelector') ?? '';
    const chosen = [...jobs.values()].filter(({ job }) => matches(job, selector));
    if (request.method === 'POST') {
      const job = (await json(request)) as V1Job;
      created.push(job);
      jobs.set(
        job.metadata?.name ?? '',
        begin(job, () => state.reason),
      );
      return send(response, 201, job);
    }
    const name = url.pathname.split('/').at(-1) ?? '';
    if (request.method === 'DELETE') {
      const found = jobs.get(name);
      if (!found) return send(response, 404, { kind: 'Status', code: 404 });
      found.stop();
      jobs.delete(name);
      return send(response, 200, {});
    }
    if (url.pathname.endsWith('/log')) return await sendLog(jobs, url.pathname.split('/').at(-2) ?? '', response);
    const items = url.pathname.endsWith('/pods') ? chosen.map(({ pod }) => pod) : chosen.map(({ job }) => job);
    return send(response, 200, { items });
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    created,
    names: () => [...jobs.keys()],
    get reason() {
      return state.reason;
    },
    set reason(value) {
      state.reason = value;
    },
    async [Symbol.asyncDispose]() {
      for (const job of jobs.values()) job.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function matches({ metadata }: V1Job, selector: string): boolean {
  const [key = '', value] = selector.split('=');
  return key === '' || (value === undefined ? key in (metadata?.labels ?? {}) : metadata?.labels?.[key] === value);
}

function begin(job: V1Job, reason: () => string | undefined): FakeJob {
  const container = job.spec?.template.spec?.containers[0];
  const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? '']));
  const child = spawn(container?.command?.[0] ?? '', container?.args ?? [], {
    cwd: container?.workingDir,
    env,
    detached: true,
  });
  const log: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const pod: V1Pod = { metadata: { name: `${job.metadata?.name}-pod` }, status: { phase: 'Running' } };
  const ended = new Promise<void>((resolve) => {
    child.once('close', (code) => {
      const why = reason();
      const terminated = { exitCode: code ?? 137, ...(why !== undefined && { reason: why }) };
      const status = { name: 'agent', state: { terminated }, image: '', imageID: '', ready: false, restartCount: 0 };
      pod.status = { phase: code === 0 ? 'Succeeded' : 'Failed', containerStatuses: [status] };
      resolve();
    });
  });
  const stop = (): void => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  };
  return { job, pod, log, ended, stop };
}

async function sendLog(jobs: ReadonlyMap<string, FakeJob>, pod: string, response: ServerResponse): Promise<void> {
  const job = jobs.get(pod.replace(/-pod$/, ''));
  response.writeHead(200, { 'content-type': 'text/plain' });
  const flush = (): void => {
    for (const text of job?.log.splice(0) ?? []) response.write(text);
  };
  const timer = setInterval(flush, 5);
  await job?.ended;
  clearInterval(timer);
  flush();
  response.end();
}
