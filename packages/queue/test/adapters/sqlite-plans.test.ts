import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hot } from '../../src/adapters/sqlite/statements.ts';

/** What a file may hold. SQLite plans by what ANALYZE has seen of it, so each statement is planned for each of them. */
interface Contents {
  readonly tenants: number;
  readonly classes: number;
  readonly sessions: number;
  /** Of 100 jobs so many in the states ready, delayed, leased, succeeded, dead. */
  readonly states: readonly [number, number, number, number, number];
}

const files: Readonly<Record<string, Contents | undefined>> = {
  'an empty file': undefined,
  'a million ready jobs of one tenant': { tenants: 1, classes: 1, sessions: 1, states: [100, 0, 0, 0, 0] },
  'a million jobs of 100,000 tenants in 20 classes': {
    tenants: 100_000,
    classes: 20,
    sessions: 50,
    states: [60, 10, 10, 10, 10],
  },
  'a million leases of one session': { tenants: 10, classes: 1, sessions: 1, states: [1, 1, 96, 1, 1] },
  'a million delayed jobs and dead letters': { tenants: 10, classes: 3, sessions: 5, states: [1, 50, 1, 8, 40] },
};

/** Jobs that are really there. The statistics are then multiplied, as if there were a million: planning looks at nothing else. */
const rows = 20_000;
const scale = 1_000_000 / rows;

const folder = mkdtempSync(join(tmpdir(), 'millrace-plans-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function openFile(name: string): Promise<Libsql.Database> {
  const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.db`);
  const adapter = sqliteAdapter({ path });
  await (await adapter.open({ queue: 'q', clock: systemClock, random: Math.random })).close();
  await adapter.close();
  return new Libsql(path);
}

function fill(database: Libsql.Database, { tenants, classes, sessions, states }: Contents): void {
  const upTo = states.map((_, index) => states.slice(0, index + 1).reduce((sum, share) => sum + share, 0));
  const state = `CASE ${upTo.map((limit, index) => `WHEN n % 100 < ${limit} THEN ${index}`).join(' ')} END`;
  const count = `WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)`;
  const few = Math.ceil(tenants / scale);
  database.exec('BEGIN');
  database
    .prepare(
      `${count} INSERT INTO millrace_job (row_id, queue, id, name, tenant, state, priority, ready_at, attempt, max_attempts, cost, bytes,
         enqueued_at, session, visible_until, cancel_requested, finished_at, keep_until, payload)
       SELECT n * 1024 + 1, 1, 'job-' || n, 'work', 't' || (n % ${few}), s, n / 7 % ${classes}, n, 0, 3, 0, 9, n,
         CASE s WHEN 2 THEN 's' || (n % ${sessions}) END, CASE WHEN s = 2 AND n % 10 = 0 THEN n END, s = 2 AND n % 1000 = 0,
         CASE WHEN s > 2 THEN n END, CASE WHEN s = 3 THEN n END, '{"n":1}' FROM (SELECT n, ${state} AS s FROM numbers)`,
    )
    .run(rows - 1);
  database
    .prepare(
      `${count} INSERT INTO millrace_tenant (queue, name, paused, ready, delayed, leased, waiting_bytes, vtime, tat, spent, "window", held, parked_until)
       SELECT 1, 't' || n, 0, 1, 0, 0, 0, n, 0, 0, 0, n % 2, CASE WHEN n % 4 = 1 THEN n END FROM numbers`,
    )
    .run(few - 1);
  database
    .prepare(
      `INSERT INTO millrace_line (queue, tenant, priority, score, held)
       SELECT DISTINCT 1, tenant, priority, row_id, row_id % 2 FROM millrace_job WHERE state = 0 GROUP BY tenant, priority`,
    )
    .run();
  database
    .prepare(`${count} INSERT INTO millrace_class (queue, priority, since, turn) SELECT 1, n, n, n FROM numbers`)
    .run(classes - 1);
  database
    .prepare(
      `${count} INSERT INTO millrace_session (queue, id, expires_at, barrier, over, polite) SELECT 1, 's' || n, n, 0, 0, 0 FROM numbers`,
    )
    .run(sessions - 1);
  database.exec('COMMIT');
}

/** ANALYZE, and its numbers of rows multiplied. The new statistics count from the next connection on. */
function analyze(database: Libsql.Database): void {
  database.exec('ANALYZE');
  const stats = database.prepare('SELECT rowid, stat FROM sqlite_stat1').all() as { rowid: number; stat: string }[];
  for (const { rowid, stat } of stats) {
    const grown = stat.split(' ').map((value, index, all) => (index < all.length - 1 ? Number(value) * scale : value));
    database.prepare('UPDATE sqlite_stat1 SET stat = ? WHERE rowid = ?').run(grown.join(' '), rowid);
  }
}

/** How many values the statement takes. */
function marksOf(sql: string): number {
  const numbered = [...sql.matchAll(/\?(\d)/g)].map(([, number]) => Number(number));
  return numbered.length > 0 ? Math.max(...numbered) : (sql.match(/\?/g)?.length ?? 0);
}

function planOf(database: Libsql.Database, sql: string): string[] {
  const values = Array.from({ length: marksOf(sql) }, () => '[]');
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
  return plan.map(({ detail }) => detail);
}

/** What reads the list that came with the call, what another step has found, and what reads nothing. */
const harmless = /^SCAN (?:u|json_each) VIRTUAL TABLE|^SCAN (?:step|v)$|^SCAN (?:\d+ )?CONSTANT ROW/;

describe.each(Object.entries(files))('on %s', (name, contents) => {
  let database: Libsql.Database;
  beforeAll(async () => {
    database = await openFile(name);
    if (contents === undefined) return;
    fill(database, contents);
    analyze(database);
    database.close();
    database = await openFile(name);
  });
  afterAll(() => database.close());

  it.each(Object.entries(hot))('%s reads by an index, without a scan and without a sort', (_name, sql) => {
    const steps = planOf(database, sql).filter((detail) => !harmless.test(detail));
    expect(steps.filter((detail) => /\bSCAN\b|TEMP B-TREE/.test(detail))).toEqual([]);
  });

  it.each([
    ['heads', 'millrace_job_ready (queue=? AND tenant=? AND priority=?)'],
    ['delayedBefore', 'millrace_job_delayed (queue=? AND ready_at<?)'],
    ['oldestReady', 'millrace_job_class (queue=? AND priority=?)'],
    ['ring', 'millrace_line_ring (queue=? AND priority=?)'],
    ['leasedBy', 'millrace_job_leased (queue=? AND session=?)'],
    ['acknowledged', 'millrace_job_id (queue=? AND id=?)'],
    ['cancelRequests', 'millrace_job_cancel (queue=? AND session=?)'],
    ['oldestFinished', 'millrace_job_finished (queue=? AND state=?)'],
    ['heldTenants', 'millrace_tenant_held (queue=? AND held=?)'],
    ['classes', 'millrace_class_turn (queue=?)'],
    ['leaseJobs', 'millrace_job USING INTEGER PRIMARY KEY (rowid=?)'],
  ] as const)('%s uses its own index', (statement, index) => {
    expect(planOf(database, hot[statement]).join('\n')).toContain(index);
  });
});

it('the statistics are those of a million jobs', async () => {
  const database = await openFile('a million ready jobs of one tenant');
  const sql = `SELECT stat FROM sqlite_stat1 WHERE idx = 'millrace_job_id'`;
  const { stat } = database.prepare(sql).get() as { stat: string };
  database.close();
  expect(Number(stat.split(' ')[0])).toBe(1_000_000);
});
