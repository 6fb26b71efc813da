import { createHmac } from 'node:crypto';
import { waitFor } from '@millrace/test-support';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { ciTables } from '../../src/ci/await-checks.ts';
import { openDatabase } from '../../src/db/open.ts';
import { embeddedUrl } from '../support/barrier.ts';
import { startTestOrchestrator } from '../support/orchestrator.ts';

const secret = 'the-secret-of-the-webhook';
const commits = 50;
const reports = 20;

/** A check that many runners report, out of order: the last word about each commit is `success`. */
function delivery(index: number): { readonly id: string; readonly body: string } {
  const [commit, report] = [index % commits, Math.floor(index / commits)];
  const last = report === 7;
  const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`;
  const check_run = {
    ...{ id: 1, name: 'test', html_url: null, check_suite: { id: 7 } },
    head_sha: commit.toString(16).padStart(40, '0'),
    status: last ? 'completed' : 'in_progress',
    conclusion: last ? 'success' : null,
    started_at: at(report),
    completed_at: last ? at(59) : null,
  };
  const body = JSON.stringify({ action: 'completed', repository: { id: 1 }, check_run });
  return { id: `delivery-${index}`, body };
}

test('a storm of a thousand deliveries is answered, stored once each, and understood', async () => {
  await using orchestrator = await startTestOrchestrator({ GITHUB_WEBHOOK_SECRET: secret });
  const send = async (index: number): Promise<number> => {
    const { id, body } = delivery(index);
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    const headers = {
      'x-github-event': 'check_run',
      'x-github-delivery': id,
      'x-hub-signature-256': `sha256=${signature}`,
    };
    const response = await fetch(`${orchestrator.url}/webhooks/github`, { method: 'POST', body, headers });
    await response.body?.cancel();
    return response.status;
  };
  const total = commits * reports;
  // Every tenth comes twice, as when somebody asks GitHub to deliver again.
  const sent = Array.from({ length: total * 1.1 }, (_, index) => (index < total ? index : (index - total) * 10));
  const statuses: number[] = [];
  const sender = async (): Promise<void> => {
    for (let index = sent.shift(); index !== undefined; index = sent.shift()) statuses.push(await send(index));
  };
  await Promise.all(Array.from({ length: 50 }, sender));
  expect(statuses).toEqual(Array.from({ length: total * 1.1 }, () => 202));

  await using database = await openDatabase(await embeddedUrl(`${orchestrator.directory}/data`), 2, () => {});
  const db = ciTables(database.db);
  const states = async () => {
    const { rows } = await sql<{ state: string; count: number }>`
      SELECT state, count(*)::int AS count FROM webhook_deliveries GROUP BY state`.execute(db);
    return rows;
  };
  await waitFor(async () => !(await states()).some(({ state }) => state === 'pending'), { timeout: 60_000 });
  expect(await states()).toEqual([{ state: 'done', count: total }]);
  const rollups = await db.selectFrom('ci_rollups').select('state').execute();
  expect(rollups).toEqual(Array.from({ length: commits }, () => ({ state: 'success' })));
}, 120_000);
