import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../src/db/open.ts';
import { createLogWriter, type LogWriter } from '../src/logs/writer.ts';
import { openRelay } from '../src/relay/open.ts';
import type { Relay } from '../src/relay/relay.ts';
import { createRun } from '../src/runs/create.ts';
import { takeRun } from '../src/runs/take.ts';
import { moveRun } from '../src/runs/transition.ts';
import { type Bench, type BenchOptions, percentile, type Result, rounded } from './result.ts';
import { ours, type Program, type Stores, startProgram, startStores } from './systems.ts';

const noError = (): void => {};

/** The bench itself is the worker: it holds runs and writes their lines. */
interface Writer extends AsyncDisposable {
  readonly runs: readonly { readonly id: string; readonly log: LogWriter; readonly finish: () => Promise<unknown> }[];
}

async function startWriter(stores: Stores, count: number): Promise<Writer> {
  const database = await openDatabase(stores.databaseUrl, 8, noError);
  const relay = await openRelay(stores.env.RELAY_URL ?? '', noError);
  const runs = [];
  for (let index = 0; index < count; index++) runs.push(await holdRun(database, relay));
  return {
    runs,
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await database.close();
    },
  };
}

async function holdRun(
  { db }: Awaited<ReturnType<typeof openDatabase>>,
  relay: Relay,
): Promise<Writer['runs'][number]> {
  const run = {
    tenantId: 'default',
    repo: 'file:///srv/app.git',
    ref: 'HEAD',
    message: 'm',
    priority: 0,
    timeout: 60_000,
  };
  const agent = { type: 'command', command: 'true' };
  const { id } = await createRun(db, { ...run, agent });
  await db.deleteFrom('outbox').where('run_id', '=', id).execute();
  const hold = { runId: id, dispatch: 1, fence: 1, workerId: 'bench' };
  await takeRun(db, hold);
  const announce = (): void => relay.publish({ kind: 'run', runId: id });
  const log = await createLogWriter({ db, hold, maxBytes: 2 ** 30, onStored: announce });
  const finish = async (): Promise<void> => {
    await log.flush();
    await moveRun(db, hold, { from: 'admitted', to: 'failed' });
    announce();
  };
  return { id, log, finish };
}

interface Clients {
  figures(): Promise<{ readonly connected: number; readonly closed: number; readonly delays: readonly number[] }>;
  stop(): Promise<void>;
}

async function startClients(url: string, count: number, runs: readonly string[]): Promise<Clients> {
  const file = fileURLToPath(new URL('stream-clients.ts', import.meta.url));
  const args = ['--import', 'tsx', file, url, String(count), ...runs];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: Interface = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  await once(lines, 'line');
  return {
    async figures() {
      child.stdin?.write('\n');
      const [line] = (await once(lines, 'line')) as [string];
      return JSON.parse(line);
    },
    async stop() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** Clients that wait for runs in which nothing happens. */
async function idle({ note }: BenchOptions): Promise<Result[]> {
  await using stores = await startStores();
  await using writer = await startWriter(stores, 1000);
  const api = await startProgram(ours, [], { ...stores.env, ROLES: 'api' });
  const ids = writer.runs.map(({ id }) => id);
  // What the process needs for having served some clients is not theirs.
  await (await startClients(api.url, 500, ids)).stop();
  await sleep(1000);
  const before = await residentBytes(api.pid);
  const clients = await Promise.all([1, 2].map(() => startClients(api.url, 5000, ids)));
  await sleep(2000);
  const after = await residentBytes(api.pid);
  const figures = await Promise.all(clients.map((some) => some.figures()));
  const open = figures.reduce((sum, { connected, closed }) => sum + connected - closed, 0);
  note(`sse.bytes: ${open} streams open, ${Math.round(after / 2 ** 20)} MiB in all`);
  await Promise.all(clients.map((some) => some.stop()));
  await api.stop('SIGKILL');
  const bytes = (after - before) / open / 1024;
  return [
    { metric: 'sse.bytes', ours: rounded(bytes), peer: null, peerName: null, unit: 'KiB RSS per client', ratio: null },
  ];
}

/** Ten clients on each of a hundred runs; each run stores a line a second, and tells when. */
async function active({ quick, note }: BenchOptions): Promise<Result[]> {
  await using stores = await startStores();
  await using writer = await startWriter(stores, 100);
  const api = await startProgram(ours, [], { ...stores.env, ROLES: 'api' });
  const ids = writer.runs.map(({ id }) => id);
  const clients = await startClients(api.url, 1000, ids);
  await clients.figures();
  const seconds = quick ? 10 : 30;
  for (let round = 0; round < seconds * 100; round++) {
    const run = writer.runs[round % 100];
    await run?.log.write('stdout', `at ${Date.now()}`);
    void run?.log.flush();
    await sleep(10);
  }
  await sleep(1000);
  const { delays } = await clients.figures();
  await clients.stop();
  await api.stop('SIGKILL');
  note(`sse.p99: ${delays.length} events, p50 ${percentile(delays, 0.5)} ms, p95 ${percentile(delays, 0.95)} ms`);
  return [{ metric: 'sse.p99', ours: percentile(delays, 0.99), peer: null, peerName: null, unit: 'ms', ratio: null }];
}

/** What a client has of a stream so far. */
interface Reader {
  readonly lines: number[];
  after: string;
}

/** Reads frames until the stream ends, and tells how many have come. */
async function readFrames(response: Response, reader: Reader, onHeard: (frames: number) => void): Promise<void> {
  let text = '';
  let heard = 0;
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const frames = text.split('\n\n');
    text = frames.pop() ?? '';
    for (const frame of frames) {
      const id = /^id: (.*)$/m.exec(frame)?.[1];
      if (!id) continue;
      reader.after = id;
      heard += 1;
      const data = /^data: (.*)$/m.exec(frame)?.[1] ?? '{}';
      const { lines = [] } = JSON.parse(data) as { lines?: { seq: number }[] };
      reader.lines.push(...lines.map(({ seq }) => seq));
    }
    onHeard(heard);
  }
}

/** Reads a run's stream from one API process after the other, each killed under its client, until the run has ended. */
async function readThroughKills(runId: string, apis: { next(): Promise<Program> }, enough: () => void, kills: number) {
  const reader: Reader = { lines: [], after: '' };
  for (let killed = 0; ; killed++) {
    const api = await apis.next();
    if (killed === kills) enough();
    const headers: Record<string, string> = reader.after ? { 'last-event-id': reader.after } : {};
    try {
      const response = await fetch(`${api.url}/v1/runs/${runId}/events`, { headers });
      if (response.status === 204) return reader.lines;
      await readFrames(response, reader, (heard) => {
        if (heard > 2 && killed < kills) void api.stop('SIGKILL');
      });
    } catch {
      // The process was killed: the client goes to another one.
    } finally {
      await api.stop('SIGKILL');
    }
  }
}

async function gaps({ quick, note }: BenchOptions): Promise<Result[]> {
  const kills = quick ? 20 : 100;
  await using stores = await startStores();
  await using writer = await startWriter(stores, 1);
  const run = writer.runs[0];
  if (!run) return [];
  const start = (): Promise<Program> => startProgram(ours, [], { ...stores.env, ROLES: 'api' });
  const ready = [start(), start(), start()];
  const apis = {
    async next() {
      const api = await (ready.shift() ?? start());
      ready.push(start());
      return api;
    },
  };
  let writing = true;
  const reading = readThroughKills(
    run.id,
    apis,
    () => {
      writing = false;
    },
    kills,
  );
  let written = 0;
  while (writing) {
    written += 1;
    await run.log.write('stdout', `line ${written}`);
    await sleep(20);
  }
  await run.finish();
  const lines = await reading;
  for (const api of await Promise.all(ready)) await api.stop('SIGKILL');
  const repeated = lines.length - new Set(lines).size;
  const missing = written - new Set(lines).size;
  note(`sse.gaps: ${kills} kills, ${written} lines, ${missing} missing, ${repeated} repeated`);
  return [{ metric: 'sse.gaps', ours: missing + repeated, peer: null, peerName: null, unit: 'lines', ratio: null }];
}

/** Live events: what a client that waits costs, how soon one hears, and whether it hears everything once. */
export const streams: Bench = {
  metrics: ['sse.bytes', 'sse.p99', 'sse.gaps'],
  async run(options, selected) {
    return [
      ...(selected('sse.bytes') ? await idle(options) : []),
      ...(selected('sse.p99') ? await active(options) : []),
      ...(selected('sse.gaps') ? await gaps(options) : []),
    ];
  },
};
