import { startPostgres } from '@millrace/test-support';
import { type Kysely, sql } from 'kysely';
import { ciTables, settleByRollup } from '../src/ci/await-checks.ts';
import { saveObservations } from '../src/ci/checks.ts';
import type { Observation } from '../src/ci/observation.ts';
import { noteHeard } from '../src/ci/poll-targets.ts';
import { type PollerOptions, pollBudget, pollDue } from '../src/ci/poller.ts';
import { type SweepOptions, sweepHook } from '../src/ci/sweep.ts';
import type { CiDatabase } from '../src/ci/tables.ts';
import { type OpenDatabase, openDatabase } from '../src/db/open.ts';
import type { Database } from '../src/db/schema.ts';
import { createGithubClients } from '../src/forge/github/clients.ts';
import { openGithub } from '../src/forge/github/github.ts';
import { isWaitedFor } from '../src/runs/checked.ts';
import { type FakeGithub, startFakeGithub } from '../test/support/fake-github.ts';
import { fakeCheckRun } from '../test/support/fake-github-repo.ts';
import { waitingRun } from '../test/support/waiting-run.ts';
import { type Bench, type BenchOptions, baselineName, type Result } from './result.ts';

const minute = 60_000;
const hour = 60 * minute;
/** Milliseconds of the compressed clock between two looks. */
const step = 10_000;
const pullRequests = 100;
/** Two calls every 30 seconds for each. */
const baselineCalls = pullRequests * 2 * 120;
/** The name that {@link waitingRun} gives its repositories. */
const repo = { owner: 'acme', name: '4242', id: 4242 };
const throwIt = (error: unknown): never => {
  throw error;
};

const plain = (db: Kysely<CiDatabase>): Kysely<Database> => db as unknown as Kysely<Database>;

interface Hour {
  readonly poller: PollerOptions;
  readonly sweep: SweepOptions;
  moveTo(time: number): void;
}

/** The role `ci` with its defaults, over GitHub's real client, by a clock of ours. */
function openHour({ db }: OpenDatabase, fake: FakeGithub, begin: number): Hour {
  let time = begin;
  const now = () => sql<Date>`${new Date(time)}::timestamptz`;
  const hook = `/repos/${repo.owner}/${repo.name}/hooks/1`;
  const auth = { kind: 'token', token: 't' } as const;
  const settings = { webUrl: 'https://forge.example', apiUrl: fake.url, auth, hook };
  const { forge, hookLog } = openGithub(settings, createGithubClients({ settings }));
  if (!hookLog) throw new Error('GitHub keeps a log of every hook.');
  const silence = 2 * minute;
  const delays = { silence, firstDelay: silence / 4, maxDelay: silence * 2.5, slowPoll: hour, noChecks: 10 * minute };
  return {
    moveTo(next) {
      time = next;
    },
    sweep: { db: ciTables(db), log: hookLog, interval: 5 * minute, onError: throwIt, now },
    poller: {
      db: ciTables(db),
      forgeOf: () => forge,
      schedule: { ...delays, hook: 'repo' },
      budget: pollBudget(1000),
      pollInterval: 1,
      isWaitedFor: (ci, target) => isWaitedFor(plain(ci), target),
      onAnswer: async (tx, commit, rollup) => void (await settleByRollup(plain(tx), commit, rollup, 'answer')),
      onError: throwIt,
      now,
    },
  };
}

/** What the webhook of a check does, as the consumer of deliveries does it. */
async function deliver({ db }: OpenDatabase, sha: string, isOver: boolean, at: number): Promise<void> {
  const found: Observation = {
    repoId: repo.id,
    sha,
    source: 'check_run',
    key: '15368/build',
    parent: undefined,
    name: 'build',
    objectId: 1,
    attempt: 1,
    status: isOver ? 'completed' : 'in_progress',
    conclusion: isOver ? 'success' : undefined,
    observedAt: at,
    url: undefined,
  };
  await db.transaction().execute(async (tx) => {
    const [change] = await saveObservations(ciTables(tx), [found]);
    if (change) await settleByRollup(tx, found, change.rollup, 'webhook');
    await noteHeard(ciTables(tx), repo.id, new Date(at));
  });
}

const shaOf = (index: number): string => `${index}`.padStart(40, '0');

/** An hour in which all wait, each heard of every ten minutes, and end in its last five. */
async function waitAnHour(database: OpenDatabase, fake: FakeGithub): Promise<void> {
  const begin = Date.now();
  const { poller, sweep, moveTo } = openHour(database, fake, begin);
  for (let index = 0; index < pullRequests; index += 1) {
    await waitingRun(database, { repoId: repo.id, sha: shaOf(index) });
    fake.repo.checkRuns.set(shaOf(index), [fakeCheckRun(shaOf(index), 'build', null)]);
  }
  for (let at = step; at <= hour; at += step) {
    moveTo(begin + at);
    for (let index = 0; index < pullRequests; index += 1) {
      const end = hour - (index + 1) * 3000;
      if (end > at - step && end <= at) {
        fake.repo.checkRuns.set(shaOf(index), [fakeCheckRun(shaOf(index), 'build', 'success')]);
        await deliver(database, shaOf(index), true, begin + end);
      } else if (end > at && (at / step) % 60 === index % 60) {
        await deliver(database, shaOf(index), false, begin + at);
      }
    }
    await pollDue(poller);
    await sweepHook(sweep);
  }
}

async function calls({ note }: BenchOptions): Promise<Result[]> {
  await using postgres = await startPostgres();
  await using database = await openDatabase(await postgres.createDatabase(), 10, () => {});
  await using fake = await startFakeGithub(repo);
  await waitAnHour(database, fake);
  const { rows } = await sql<{ state: string; count: number }>`
    SELECT state, count(*)::int AS count FROM runs GROUP BY state`.execute(database.db);
  const reads = fake.requests.filter((request) => request.includes('/commits/')).length;
  note(
    `github.calls: ${reads} about checks, ${fake.requests.length - reads} about deliveries; ${JSON.stringify(rows)}`,
  );
  const ratio = Number((fake.requests.length / baselineCalls).toPrecision(3));
  const result = { metric: 'github.calls', ours: fake.requests.length, peer: baselineCalls, unit: 'calls/hour' };
  return [{ ...result, peerName: `${baselineName} (computed)`, ratio }];
}

/** What waiting for checks costs at the forge. */
export const github: Bench = { metrics: ['github.calls'], run: (options) => calls(options) };
