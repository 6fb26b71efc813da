import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { atRate, postJson, timed } from './load.ts';
import { type Bench, type BenchOptions, baselineName, percentile, type Result, rounded } from './result.ts';
import { ours, type Program, type Stores, serveRepo, startBaseline, startProgram, startStores } from './systems.ts';

function startApis(stores: Stores, count: number): Promise<Program[]> {
  const env = { ...stores.env, ROLES: 'api' };
  return Promise.all(Array.from({ length: count }, () => startProgram(ours, [], env)));
}

async function submit(api: Program, repo: string, key: string): Promise<number> {
  const body = { repo, agent: { type: 'command', command: 'true' } };
  const { status } = await postJson(`${api.url}/v1/runs`, body, { 'idempotency-key': key });
  return status;
}

/** New requests at an even rate on one API process; nobody executes the runs, as workers are other processes. */
async function latency({ quick, note }: BenchOptions): Promise<Result[]> {
  const perSecond = 200;
  await using origin = await serveRepo();
  await using stores = await startStores();
  const [api] = await startApis(stores, 1);
  if (!api) return [];
  await atRate(200, 100, (index) => submit(api, origin.repo, `warm-${index}`));
  const times: number[] = [];
  await atRate((quick ? 5 : 30) * perSecond, perSecond, async (index) => {
    times.push(await timed(() => submit(api, origin.repo, `bench-${index}`)));
  });
  await api.stop();
  const peer = await baselineLatency(origin.repo, perSecond);
  const [here, there] = [percentile(times, 0.99), percentile(peer, 0.99)];
  note(`post.p99: p50 ${rounded(percentile(times, 0.5))} ms here, ${rounded(percentile(peer, 0.5))} ms there`);
  return [
    {
      metric: 'post.p99',
      ours: rounded(here),
      peer: rounded(there),
      peerName: `${baselineName} (clones in the request)`,
      unit: 'ms',
      ratio: rounded(here / there),
    },
  ];
}

/** Half a second of the same load: it takes the described system far longer than that to answer. */
async function baselineLatency(repo: string, perSecond: number): Promise<number[]> {
  await using baseline = await startBaseline();
  const times: number[] = [];
  await atRate(perSecond / 2, perSecond, async () => {
    times.push(await timed(() => baseline.submit(repo, 'echo x > agent.txt')));
  });
  return times;
}

/** The same request a thousand times at once, spread over three API processes. */
async function duplicates({ note }: BenchOptions): Promise<Result[]> {
  const requests = 1000;
  await using origin = await serveRepo();
  await using stores = await startStores();
  const apis = await startApis(stores, 3);
  const statuses = await Promise.all(
    Array.from({ length: requests }, (_, index) => submit(apis[index % 3] as Program, origin.repo, 'the-same')),
  );
  await sleep(100);
  const db = new pg.Client({ connectionString: stores.databaseUrl });
  await db.connect();
  const { rows } = await db.query<{ runs: number }>('SELECT count(*)::int AS runs FROM runs');
  await db.end();
  await Promise.all(apis.map((api) => api.stop()));
  const counts = new Map<number, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  note(`duplicates: answers ${[...counts].map(([status, count]) => `${count}x ${status}`).join(', ')}`);
  return [
    {
      metric: 'duplicates',
      ours: rows[0]?.runs ?? 0,
      peer: requests,
      peerName: baselineName,
      unit: 'runs',
      ratio: null,
    },
  ];
}

/** What a request costs that asks for a run. */
export const posts: Bench = {
  metrics: ['post.p99', 'duplicates'],
  async run(options, selected) {
    return [
      ...(selected('post.p99') ? await latency(options) : []),
      ...(selected('duplicates') ? await duplicates(options) : []),
    ];
  },
};
