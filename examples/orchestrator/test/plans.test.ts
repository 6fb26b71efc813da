import { type CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ciTables } from '../src/ci/await-checks.ts';
import { processDeliveries } from '../src/ci/deliveries.ts';
import { forgetOldNews } from '../src/ci/forget-old.ts';
import { claimDue } from '../src/ci/poll-targets.ts';
import type { OpenDatabase } from '../src/db/open.ts';
import type { Database } from '../src/db/schema.ts';
import { readLogChunks } from '../src/logs/reader.ts';
import { directoryStore } from '../src/objects/directory.ts';
import { memoryRelay } from '../src/relay/memory.ts';
import { endOverdueRuns, recoverLostRuns, resumeParkedRuns } from '../src/roles/janitor.ts';
import { isWaitedFor, settleCheckedRuns } from '../src/runs/checked.ts';
import { createOutboxRelay } from '../src/runs/outbox.ts';
import { getRun, listRuns, requestCancel, runEventsAfter } from '../src/runs/store.ts';
import { takeRun } from '../src/runs/take.ts';
import { findSession } from '../src/sessions/kept.ts';
import { listMessages, listTasks } from '../src/tasks/tasks.ts';
import { hasRoom } from '../src/tenants/quota.ts';
import { getTenant, usageOf } from '../src/tenants/tenants.ts';
import { testDatabase } from './support/database.ts';

/** Runs in the table; everything that is asked all the time must not depend on how many there are. */
const runCount = 1_000_000;
const tenantId = 'tenant-7';

let database: OpenDatabase & { readonly url: string };
let db: Kysely<Database>;
const statements: CompiledQuery[] = [];

beforeAll(async () => {
  database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url });
  // The server ends before the last connection has said good-bye.
  pool.on('error', () => {});
  db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => void statements.push(query),
  });
  await fill(pool);
}, 180_000);
afterAll(async () => {
  await db.destroy();
  await database.close();
});

/** Rows go in without their indexes, which are made afterwards: that takes a fifth of the time. */
async function fill(pool: pg.Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`SET session_replication_role = replica; SET maintenance_work_mem = '256MB'`);
    const { rows } = await client.query<{ name: string; definition: string }>(
      `SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'runs' AND indexname <> 'runs_pkey'`,
    );
    for (const { name } of rows) await client.query(`DROP INDEX ${name}`);
    await client.query(`
      INSERT INTO tenants (id) SELECT 'tenant-' || n FROM generate_series(1, 100) n;
      INSERT INTO repos (id, tenant_id, url, forge_repo_id)
        SELECT md5('repo' || n)::uuid, 'tenant-' || (n % 100 + 1), 'https://forge.example/' || n, n FROM generate_series(1, 1000) n;
      INSERT INTO tasks (id, tenant_id, repo_id, title)
        SELECT md5('task' || n)::uuid, 'tenant-' || (n % 100 + 1), md5('repo' || (n % 1000 + 1))::uuid, 't' FROM generate_series(1, 50000) n;
      INSERT INTO runs (id, tenant_id, task_id, repo_id, ref, agent, message, timeout_ms, state, parked_reason, parked_until,
          branch, commit_sha, finished_at, deadline_at, created_at, updated_at, job_id, event_seq)
        SELECT md5('run' || n)::uuid, 'tenant-' || (n % 100 + 1), md5('task' || (n % 50000 + 1))::uuid,
          md5('repo' || (n % 1000 + 1))::uuid, 'main', '{"type":"command","command":"true"}', 'm', 1000, state,
          CASE state WHEN 'parked' THEN 'budget' END, CASE state WHEN 'parked' THEN now() + interval '1 day' END,
          'b', md5(n::text), CASE WHEN state IN ('succeeded', 'failed') THEN now() END,
          CASE WHEN n % 100 = 0 THEN now() + interval '1 day' END,
          now() - n * interval '1 second', now() - n * interval '1 second', n::text, 1
        FROM (SELECT n, (CASE n % 5000 WHEN 1 THEN 'queued' WHEN 2 THEN 'running' WHEN 3 THEN 'ci_waiting'
          WHEN 4 THEN 'parked' WHEN 5 THEN 'failed' ELSE 'succeeded' END) AS state FROM generate_series(1, ${runCount}) n) s;
      INSERT INTO run_events (run_id, seq, type, to_state)
        SELECT md5('run' || n)::uuid, 1, 'state', 'queued' FROM generate_series(1, 50000) n;
      INSERT INTO log_chunks (run_id, seq_from, seq_to, body)
        SELECT md5('run' || n)::uuid, 1, 2, '[]' FROM generate_series(1, 50000) n;
      INSERT INTO messages (id, task_id, author, body)
        SELECT md5('message' || n)::uuid, md5('task' || n)::uuid, 'user', 'm' FROM generate_series(1, 50000) n;
      INSERT INTO usage_ledger (id, tenant_id, run_id, provider, model, input_tokens, output_tokens, cost_microusd, created_at)
        SELECT md5('usage' || n)::uuid, 'tenant-' || (n % 100 + 1), md5('run' || n)::uuid, 'p', 'm', 1, 1, 1, now() - n * interval '1 minute'
        FROM generate_series(1, 50000) n;
      INSERT INTO webhook_deliveries (id, event, body, state)
        SELECT 'd' || n, 'push', '{}', CASE WHEN n % 1000 = 0 THEN 'pending' ELSE 'done' END FROM generate_series(1, 50000) n;
      INSERT INTO ci_rollups (repo_id, sha, state) SELECT n % 1000, md5(n::text), 'success' FROM generate_series(1, 50000) n;
      INSERT INTO ci_checks (repo_id, sha, source, key, name, object_id, attempt, status, status_rank, conclusion, observed_at)
        SELECT n % 1000, md5(n::text), 'check_run', 'k', 'n', 1, 1, 'completed', 2, 'success', 1 FROM generate_series(1, 50000) n;
      INSERT INTO poll_targets (repo_id, sha, repo_url, reason, next_at)
        SELECT n % 1000, md5(n::text), 'u', 'silence', now() + interval '1 hour' FROM generate_series(1, 20000) n;
      INSERT INTO outbox (run_id, dispatch, available_at)
        SELECT md5('run' || n)::uuid, 1, now() + interval '1 hour' FROM generate_series(1, 20000) n;
    `);
    for (const { definition } of rows) await client.query(definition);
    await client.query('SET session_replication_role = DEFAULT; ANALYZE');
  } finally {
    client.release();
  }
}

interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Plan Rows': number;
  readonly Plans?: readonly Plan[];
}

/** How PostgreSQL would carry out what `work` sends. */
async function plansOf(work: () => Promise<unknown>): Promise<{ readonly text: string; readonly plan: Plan }[]> {
  statements.splice(0);
  await work();
  const sent = statements.splice(0).filter(({ sql: text }) => /^\s*(select|update|insert|delete|with)/i.test(text));
  expect(sent.length, 'nothing was asked').toBeGreaterThan(0);
  return await Promise.all(
    sent.map(async ({ sql: text, parameters }) => {
      const { rows } = await database.pool.query(`EXPLAIN (FORMAT JSON) ${text}`, [...parameters]);
      return { text, plan: (rows[0] as { 'QUERY PLAN': { Plan: Plan }[] })['QUERY PLAN'][0]?.Plan as Plan };
    }),
  );
}

/** Tables that grow without a bound. Small ones may be read whole. */
const growing = new Set([
  'runs',
  'run_events',
  'log_chunks',
  'messages',
  'tasks',
  'usage_ledger',
  'webhook_deliveries',
  'ci_checks',
  'ci_rollups',
  'poll_targets',
  'outbox',
]);

function scansOf(plan: Plan): string[] {
  const own =
    plan['Node Type'] === 'Seq Scan' && growing.has(plan['Relation Name'] ?? '')
      ? [`all of ${plan['Relation Name']}`]
      : [];
  return [...own, ...(plan.Plans ?? []).flatMap(scansOf)];
}

function rowsOf(plan: Plan): number {
  return Math.max(plan['Plan Rows'], ...(plan.Plans ?? []).map(rowsOf));
}

const run = (n: number) => sql<{ id: string }>`SELECT md5('run' || ${n}::int)::uuid AS id`;
const idOf = async (n: number): Promise<string> => (await run(n).execute(database.db)).rows[0]?.id ?? '';
const never = async () => [];
const relay = memoryRelay();
const objects = directoryStore('/nowhere');
const queue = { inspect: { job: async () => ({ state: 'ready' }) } } as unknown as Parameters<
  typeof recoverLostRuns
>[0]['queue'];

const hot: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['one run', async () => getRun(db, tenantId, await idOf(6))],
  ['the newest runs of a tenant', () => listRuns(db, { tenantId, limit: 50 })],
  ['a later page of them', async () => listRuns(db, { tenantId, limit: 50, before: await idOf(500_006) })],
  ['runs of a rare state', () => listRuns(db, { tenantId, state: 'failed', limit: 50 })],
  ['runs of a task', async () => listRuns(db, { tenantId, taskId: await idOf(1), limit: 50 })],
  ['runs of a repository', async () => listRuns(db, { tenantId, repoId: await idOf(1), limit: 50 })],
  ['runs of a type of agent', () => listRuns(db, { tenantId, agent: 'command', limit: 50 })],
  [
    'tasks and messages',
    async () =>
      Promise.all([
        listTasks(db, { tenantId, before: undefined, limit: 50 }),
        listMessages(db, await idOf(1), undefined, 50),
      ]),
  ],
  [
    'a tenant that may have only so many runs wait',
    async () => {
      await sql`UPDATE tenants SET max_queued = 100 WHERE id = ${tenantId}`.execute(db);
      await hasRoom(db, await getTenant(db, tenantId), 1);
    },
  ],
  [
    'taking a run, and cancelling it',
    async () => {
      const runId = await idOf(5001);
      await takeRun(db, { runId, dispatch: 1, fence: 1, workerId: 'w' });
      await requestCancel(db, 'tenant-2', runId);
    },
  ],
  [
    'events and lines of a run',
    async () => Promise.all([runEventsAfter(db, await idOf(9), 0), readLogChunks({ db, objects }, await idOf(9), 0)]),
  ],
  [
    'the outbox',
    async () => {
      const outbox = createOutboxRelay({ db, relay, pollInterval: 60_000, enqueue: never, onError: () => {} });
      outbox.wake();
      await outbox.stop();
    },
  ],
  [
    'runs that wait for the checks of a commit',
    async () => {
      const commit = { repoId: 4, sha: 'none' };
      await isWaitedFor(db, commit);
      await settleCheckedRuns(db, { ...commit, state: 'success' });
    },
  ],
  [
    'deliveries that are due',
    () =>
      processDeliveries(
        ciTables(db),
        async () => {},
        () => {},
      ),
  ],
  ['a session of an agent', () => findSession(db, { tenantId, agent: 'claude', sessionId: 's' })],
  ['news that is old', () => forgetOldNews(ciTables(db), 86_400_000)],
  [
    'commits to ask about',
    () => claimDue(ciTables(db), { silence: 1, firstDelay: 1, maxDelay: 1, slowPoll: 1, noChecks: 1, hook: 'all' }, 8),
  ],
  [
    'runs that were parked, or lost, or are too late',
    async () => {
      await resumeParkedRuns({ db, relay });
      await endOverdueRuns({ db, relay });
      await recoverLostRuns({ db, queue });
    },
  ],
];

describe(`with ${runCount.toLocaleString('en')} runs, nothing that is asked all the time reads all of a table`, () => {
  test.each(hot)('%s', async (_name, work) => {
    for (const { text, plan } of await plansOf(work)) expect(scansOf(plan), text).toEqual([]);
  });

  test('what a tenant used this month is read by its own rows', async () => {
    for (const { text, plan } of await plansOf(() => usageOf(db, tenantId))) {
      expect(scansOf(plan), text).toEqual([]);
      expect(rowsOf(plan), text).toBeLessThan(runCount / 50);
    }
  });
});
