import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hot } from '../../src/adapters/sqlite/statements.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-plans-'));
const path = join(folder, 'queue.db');
let database: Libsql.Database;

beforeAll(async () => {
  const adapter = sqliteAdapter({ path });
  await (await adapter.open({ queue: 'q', clock: systemClock, random: Math.random })).close();
  await adapter.close();
  database = new Libsql(path);
});

afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('every statement on the hot path', () => {
  it.each(Object.entries(hot))('%s reads by an index, without a scan and without a sort', (_name, sql) => {
    const marks = sql.includes('?1') ? (sql.includes('?2') ? 2 : 1) : (sql.match(/\?/g)?.length ?? 0);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array.from({ length: marks }, () => 1)) as {
      detail: string;
    }[];
    const steps = plan.map(({ detail }) => detail).filter((detail) => detail !== 'SCAN CONSTANT ROW');
    expect(steps.filter((detail) => /\bSCAN (?!CONSTANT)/.test(detail) || /TEMP B-TREE/.test(detail))).toEqual([]);
  });

  it.each([
    [hot.heads, 'millrace_job_ready (queue=? AND tenant=?)'],
    [hot.delayedBefore, 'millrace_job_time (queue=? AND state=? AND ready_at<?)'],
    [hot.ring, 'millrace_tenant_ring (queue=?)'],
    [hot.leasedBy, 'millrace_job_leased (queue=? AND session=?)'],
  ])('%s uses its own index', (sql, index) => {
    const marks = sql.match(/\?/g)?.length ?? 0;
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array.from({ length: marks }, () => 1)) as {
      detail: string;
    }[];
    expect(plan.map(({ detail }) => detail).join('\n')).toContain(index);
  });
});
