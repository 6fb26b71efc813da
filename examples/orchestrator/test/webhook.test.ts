import { createHmac } from 'node:crypto';
import { waitFor } from '@millrace/test-support';
import pg from 'pg';
import { expect, test } from 'vitest';
import { embeddedUrl } from './support/barrier.ts';
import { startTestOrchestrator } from './support/orchestrator.ts';

const secret = 'the-secret-of-the-webhook';

const checkSuite = (sha: string, conclusion: string) => ({
  action: 'completed',
  repository: { id: 7 },
  check_suite: {
    id: 1,
    head_sha: sha,
    head_branch: 'b',
    status: 'completed',
    conclusion,
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    app: { id: 1, slug: 'ci', name: 'CI' },
    latest_check_runs_count: 1,
    pull_requests: [],
  },
});

test('a signed delivery ends the run that waited for it; a forged one is refused', async () => {
  await using orchestrator = await startTestOrchestrator({ GITHUB_WEBHOOK_SECRET: secret });
  const { client, origin, url, directory } = orchestrator;
  const deliver = async (body: object, id: string, key = secret) => {
    const text = JSON.stringify(body);
    const signature = `sha256=${createHmac('sha256', key).update(text).digest('hex')}`;
    const headers = { 'x-github-event': 'check_suite', 'x-github-delivery': id, 'x-hub-signature-256': signature };
    return (await fetch(`${url}/webhooks/github`, { method: 'POST', body: text, headers })).status;
  };
  const run = await client.submit({ repo: origin, agent: { type: 'command', command: 'echo x > x' } });
  await waitFor(async () => (await client.get(run.id)).state === 'succeeded', { timeout: 30_000 });
  const { commitSha } = await client.get(run.id);
  // The local forge reports no checks, so the run is put where a run on GitHub would be.
  const database = new pg.Client({ connectionString: await embeddedUrl(`${directory}/data`) });
  await database.connect();
  await database.query(`UPDATE runs SET state = 'ci_waiting', finished_at = NULL WHERE id = $1`, [run.id]);
  await database.end();

  expect(await deliver(checkSuite(commitSha ?? '', 'failure'), 'forged', 'another secret')).toBe(401);
  expect((await client.get(run.id)).state).toBe('ci_waiting');
  expect(await deliver(checkSuite(commitSha ?? '', 'failure'), 'real')).toBe(202);
  await waitFor(async () => (await client.get(run.id)).state === 'failed', { timeout: 20_000 });
  expect((await client.get(run.id)).error).toMatchObject({ code: 'ERR_CHECKS_FAILED' });
}, 120_000);
