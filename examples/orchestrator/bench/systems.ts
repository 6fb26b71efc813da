import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { git, startGitServer, startPostgres, startRedis, temporaryDirectory, testRepos } from '@millrace/test-support';
import pg from 'pg';
import type { BaselineRun } from './baseline/store.ts';
import { postJson } from './load.ts';
import { percentile } from './result.ts';

/** A program of this package as a process of its own. */
export interface Program {
  readonly url: string;
  readonly pid: number;
  readonly child: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** The orchestrator as production runs it, which `npm run bench` has built. */
export const ours = '../dist/main.js';

/** Options that the image gives Node: its command between `node` and the program. */
const nodeOptions = (JSON.parse(/^CMD (\[.*\])$/m.exec(imageText())?.[1] ?? '[]') as string[]).slice(1, -1);

function imageText(): string {
  return readFileSync(new URL('../deploy/Dockerfile', import.meta.url), 'utf8');
}

/** Starts a program and waits for the line that tells its address. */
export async function startProgram(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  const file = fileURLToPath(new URL(path, import.meta.url));
  const options = path.endsWith('.ts') ? ['--import', 'tsx'] : nodeOptions;
  const child = spawn(process.execPath, [...options, file, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4096);
      const ready = /ready at (http\S+)/.exec(output);
      if (ready?.[1]) resolve(ready[1]);
    });
    exited.then(() => reject(new Error(`${path} ended before it was ready:\n${output}`)), reject);
  });
  return {
    url,
    pid: child.pid ?? 0,
    child,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
  };
}

/** The small real repository over smart HTTP: `got` where its bundle is at hand, else a synthetic history. */
export async function serveRepo(): Promise<{ readonly repo: string } & AsyncDisposable> {
  const { got } = await testRepos();
  const server = await startGitServer();
  const repo = await server.createRepo('app.git', got);
  // A bundle of one branch says nothing about HEAD.
  await git(['-C', join(server.root, 'app.git'), 'symbolic-ref', 'HEAD', 'refs/heads/main']);
  return { repo, [Symbol.asyncDispose]: () => server.stop() };
}

/** When one run reached its steps. Milliseconds. */
export interface RunTimes {
  readonly lag: number;
  readonly start: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly succeeded: boolean;
}

/** What the benches ask of either system. */
export interface System extends AsyncDisposable {
  readonly submit: (repo: string, command: string) => Promise<void>;
  /** Times of every run so far that has ended. */
  readonly finished: () => Promise<readonly RunTimes[]>;
}

export async function startBaseline(): Promise<System & { readonly program: Program }> {
  const folder = await temporaryDirectory('baseline');
  const program = await startProgram('baseline/main.ts', [folder.path], {});
  return {
    program,
    async submit(repo, command) {
      const { status, text } = await postJson(program.url, { repo, command });
      if (status !== 201) throw new Error(text);
    },
    async finished() {
      const runs = (await (await fetch(program.url)).json()) as BaselineRun[];
      return runs.filter((run) => run.finished_at !== null).map(baselineTimes);
    },
    async [Symbol.asyncDispose]() {
      await program.stop();
      await folder.remove();
    },
  };
}

function baselineTimes(run: BaselineRun): RunTimes {
  return {
    lag: (run.claimed_at ?? 0) - run.created_at,
    start: (run.started_at ?? 0) - run.requested_at,
    startedAt: run.started_at ?? 0,
    finishedAt: run.finished_at ?? 0,
    succeeded: run.status === 'succeeded',
  };
}

/** PostgreSQL that writes through to the disk and Redis that keeps its data, as in production. */
export interface Stores extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
}

export async function startStores(): Promise<Stores> {
  const postgres = await startPostgres({ own: true, fsync: true });
  const redis = await startRedis({ own: true, args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  const folder = await temporaryDirectory('bench');
  await mkdir(join(folder.path, 'data'));
  const databaseUrl = await postgres.createDatabase();
  return {
    databaseUrl,
    env: {
      PORT: '0',
      DATA_DIR: join(folder.path, 'data'),
      DATABASE_URL: databaseUrl,
      QUEUE_URL: redis.url,
      RELAY_URL: redis.url,
      LOG_LEVEL: 'warn',
      API_RATE: '10000000',
      API_STREAMS: '1000000',
      REPO_PROTOCOLS: 'http,https,file',
      DRAIN_TIMEOUT: '1s',
    },
    async [Symbol.asyncDispose]() {
      await redis.stop();
      await postgres.stop();
      await folder.remove();
    },
  };
}

/** The orchestrator in production's shape: one API and two workers, one for each core, by URL. */
export async function startOurs(options: { readonly concurrency: number }): Promise<System> {
  const stores = await startStores();
  const api = await startProgram(ours, [], { ...stores.env, ROLES: 'api' });
  const slots = { WORKER_CONCURRENCY: String(Math.ceil(options.concurrency / 2)) };
  const workers = await Promise.all(
    ['worker,ci,janitor', 'worker'].map((ROLES) => startProgram(ours, [], { ...stores.env, ...slots, ROLES })),
  );
  const db = new pg.Pool({ connectionString: stores.databaseUrl, max: 2 });
  let key = 0;
  return {
    async submit(repo, command) {
      const body = { repo, agent: { type: 'command', command } };
      const { status, text } = await postJson(`${api.url}/v1/runs`, body, { 'idempotency-key': `bench-${key++}` });
      if (status !== 202) throw new Error(text);
    },
    finished: () => ourTimes(db),
    async [Symbol.asyncDispose]() {
      await Promise.all([api, ...workers].map((program) => program.stop()));
      await db.end();
      await stores[Symbol.asyncDispose]();
    },
  };
}

async function ourTimes(db: pg.Pool): Promise<RunTimes[]> {
  const { rows } = await db.query<{ created: Date; admitted: Date; started: Date; finished: Date; state: string }>(`
    SELECT created_at AS created, admitted_at AS admitted, started_at AS started, finished_at AS finished, state
    FROM runs WHERE finished_at IS NOT NULL`);
  return rows.map(({ created, admitted, started, finished, state }) => ({
    lag: admitted.getTime() - created.getTime(),
    start: (started ?? finished).getTime() - created.getTime(),
    startedAt: (started ?? finished).getTime(),
    finishedAt: finished.getTime(),
    succeeded: state === 'succeeded',
  }));
}

/** The most runs whose agents worked at the same time for all of a second: a peak of a moment does not count. */
export function sustained(times: readonly RunTimes[]): number {
  const begin = Math.min(...times.map((run) => run.startedAt));
  const end = Math.max(...times.map((run) => run.finishedAt));
  let best = 0;
  for (let at = begin; at < end; at += 250) {
    const running = times.filter((run) => run.startedAt <= at && run.finishedAt >= at + 1000).length;
    best = Math.max(best, running);
  }
  return best;
}

export const lagOf = (times: readonly RunTimes[]): number =>
  percentile(
    times.map((run) => run.lag),
    0.95,
  );
