import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '@millrace/test-support';
import pg from 'pg';
import { expect, test } from 'vitest';
import { git, makeOrigin, runBranches } from '../support/origin.ts';
import { type Deployment, startDeployment } from './deployment.ts';

// FAULTS=full is the whole of it: 3 APIs, 4 workers, 200 runs, every fault many times; FAULTS=short takes a small share.
const full = process.env.FAULTS === 'full';
const size = full ? { apis: 3, workers: 4 } : { apis: 1, workers: 2 };
const total = full ? 200 : 16;
const rounds = full ? 6 : 1;

interface Fault {
  readonly name: string;
  readonly strike: (deployment: Deployment) => Promise<void>;
}

const faults: readonly Fault[] = [
  { name: 'kill -9 of a worker', strike: (all) => all.replace('worker-1') },
  {
    name: 'Redis crashes and comes back',
    async strike({ redis }) {
      await redis.crash();
      await sleep(500);
      await redis.restart();
    },
  },
  { name: 'kill -9 of an API', strike: (all) => all.replace('api-1') },
  {
    name: 'PostgreSQL crashes and comes back',
    async strike({ postgres }) {
      await postgres.crash();
      await postgres.restart();
    },
  },
  {
    name: 'NATS crashes and comes back',
    async strike({ nats }) {
      await nats.crash();
      await nats.restart();
    },
  },
  { name: 'kill -9 of the janitor', strike: (all) => all.replace('janitor') },
  { name: 'kill -9 of the role ci', strike: (all) => all.replace('ci') },
  { name: 'kill -9 of another worker', strike: (all) => all.replace('worker-2') },
];

/** Sends a request until somebody has taken it, with one key, to one API after the other. */
async function submitSurely(deployment: Deployment, repo: string, index: number): Promise<void> {
  const body = {
    repo,
    agent: { type: 'command', command: `sleep ${0.2 + (index % 5) / 5}; echo ${index} > file-${index}.txt` },
    pullRequest: {},
  };
  const headers = { 'content-type': 'application/json', 'idempotency-key': `run-${index}` };
  for (let attempt = index; ; attempt++) {
    const api = `api-${(attempt % size.apis) + 1}`;
    const response = await fetch(`${deployment.url(api)}/v1/runs`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    }).catch(() => undefined);
    if (response?.status === 202 || response?.status === 201) return;
    const problem = (await response?.json().catch(() => undefined)) as { code?: string } | undefined;
    if (problem?.code === 'ERR_IDEMPOTENCY_DUPLICATE') return;
    await sleep(200);
  }
}

interface RunSummary {
  readonly id: string;
  readonly state: string;
  readonly error: unknown;
  readonly commit_sha: string;
  readonly attempt: number;
}

async function expectEachOnce(client: pg.Client, origin: string, runs: readonly RunSummary[]): Promise<void> {
  expect(runs).toHaveLength(total);
  expect(runs.filter(({ state }) => state !== 'succeeded')).toEqual([]);
  expect(await runBranches(origin)).toEqual(new Map(runs.map((run) => [`millrace/${run.id}`, run.commit_sha])));
  for (const { id } of runs) expect(await git(origin, 'rev-list', '--count', `main..millrace/${id}`)).toBe('1');
  const pullRequests = await client.query<{ count: string }>('SELECT count(*) FROM prs');
  expect(Number(pullRequests.rows[0]?.count)).toBe(total);
  const trails = await client.query(`
    SELECT run_id FROM run_events GROUP BY run_id
    HAVING count(*) <> max(seq) OR count(*) FILTER (WHERE to_state = 'succeeded' AND from_state <> 'succeeded') <> 1`);
  expect(trails.rows, 'every trail is whole and ends once').toEqual([]);
}

// Nine processes cost minutes to start and kill on two cores: `npm run faults` does it, on demand.
test.skipIf(process.env.FAULTS === undefined)(
  'whatever crashes under load, every run ends once, with one branch and one pull request',
  async () => {
    await using deployment = await startDeployment(size);
    const origin = await makeOrigin(deployment.directory.path);
    const submitting = Promise.all(
      Array.from({ length: total }, async (_, index) => {
        await sleep((index * rounds * (full ? 20_000 : 8_000)) / total);
        await submitSurely(deployment, origin, index);
      }),
    );
    for (let round = 0; round < rounds; round++) for (const { strike } of faults) await strike(deployment);
    await submitting;

    const client = new pg.Client({ connectionString: deployment.databaseUrl });
    await client.connect();
    try {
      const read = async (): Promise<RunSummary[]> =>
        (await client.query<RunSummary>('SELECT id, state, error, commit_sha, attempt FROM runs')).rows;
      const open = async (): Promise<number> =>
        (await read()).filter(({ state }) => !['succeeded', 'failed', 'cancelled'].includes(state)).length;
      await waitFor(async () => (await open()) === 0, { timeout: 300_000, interval: 250, what: 'all runs to end' });
      await expectEachOnce(client, origin, await read());
    } finally {
      await client.end();
    }
  },
  900_000,
);
