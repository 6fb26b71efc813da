import { waitFor } from '@millrace/test-support';
import { sign } from '@octokit/webhooks-methods';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RollupChange } from '../../src/ci/checks.ts';
import { createConsumer } from '../../src/ci/consumer.ts';
import { receiveWebhook } from '../../src/ci/webhook.ts';
import { type CiTestDatabase, ciTestDatabase } from './database.ts';
import { recordedDeliveries } from './recorded.ts';

let database: CiTestDatabase;
let db: CiTestDatabase['db'];
beforeAll(async () => {
  database = await ciTestDatabase();
  db = database.db;
});
afterEach(() => database.clear());
afterAll(() => database[Symbol.asyncDispose]());

interface Sent {
  readonly id: string;
  readonly event: string;
  readonly body: string;
}

async function request({ id, event, body }: Sent, secret = 'secret'): Promise<Request> {
  const headers = {
    'x-github-delivery': id,
    'x-github-event': event,
    'x-hub-signature-256': await sign(secret, body),
  };
  return new Request('http://127.0.0.1/webhooks/github', { method: 'POST', body, headers });
}

async function send(sent: Sent, onStored = () => {}): Promise<number> {
  return (await receiveWebhook(await request(sent), { db, secrets: ['secret'], onStored })).status;
}

/** Processes everything that is stored, and tells the changes that were announced. */
async function consume(): Promise<readonly RollupChange[]> {
  const changes: RollupChange[] = [];
  const errors: unknown[] = [];
  const consumer = createConsumer({
    db,
    pollInterval: 10,
    onRollup: async (_, change) => void changes.push(change),
    onNews: async () => {},
    onError: (error) => errors.push(error),
  });
  const pending = () => db.selectFrom('webhook_deliveries').select('id').where('state', '=', 'pending').execute();
  await waitFor(async () => (await pending()).length === 0);
  await consumer.stop();
  expect(errors).toEqual([]);
  return changes;
}

const run = (change: object) =>
  JSON.stringify({
    repository: { id: 1 },
    check_run: { head_sha: 'b'.repeat(40), check_suite: { id: 7 }, html_url: null, ...change },
  });

describe('the webhook', () => {
  it('stores what is signed, once, and says so', async () => {
    let woken = 0;
    const sent = { id: 'one', event: 'ping', body: '{}' };
    const options = { db, secrets: ['secret'], onStored: () => woken++ };
    const first = await receiveWebhook(await request(sent), options);
    expect([first.status, await first.json()]).toEqual([202, { delivery: 'one', duplicate: false }]);
    const second = await receiveWebhook(await request(sent), options);
    expect([second.status, await second.json()]).toEqual([202, { delivery: 'one', duplicate: true }]);
    expect(woken).toBe(1);
  });

  it.each([
    ['a wrong signature', 401, 'ERR_WEBHOOK_SIGNATURE', { secret: 'other' }],
    ['no secret of ours', 503, 'ERR_WEBHOOKS_OFF', { secrets: [] }],
    ['no delivery id', 400, 'ERR_WEBHOOK_HEADER', { id: '' }],
    ['a malformed event', 400, 'ERR_WEBHOOK_HEADER', { event: 'a b' }],
    ['a body over the limit', 413, 'ERR_BODY_TOO_LARGE', { body: 'x'.repeat(25 * 2 ** 20 + 1) }],
  ])('refuses %s and stores nothing', async (_, status, code, change) => {
    const { secret, secrets, ...sent } = { id: 'x', event: 'ping', body: '{}', secret: 'secret', ...change } as Sent & {
      secret: string;
      secrets?: string[];
    };
    const answer = receiveWebhook(await request(sent, secret), { db, secrets: secrets ?? ['secret'], onStored() {} });
    await expect(answer).rejects.toMatchObject({ status, code });
    expect(await db.selectFrom('webhook_deliveries').select('id').execute()).toEqual([]);
  });

  it('lets a commit pass when its last check does, and announces each change once', async () => {
    const started = { id: 1, name: 'build', status: 'in_progress', started_at: '2026-01-01T00:00:00Z' };
    const ended = { ...started, status: 'completed', conclusion: 'success', completed_at: '2026-01-01T00:00:00Z' };
    await send({ id: 'ended', event: 'check_run', body: run(ended) });
    await consume();
    await send({ id: 'started', event: 'check_run', body: run(started) });
    await send({ id: 'ended-again', event: 'check_run', body: run(ended) });
    expect(await consume()).toEqual([]);
    expect(await db.selectFrom('ci_rollups').select('state').execute()).toEqual([{ state: 'success' }]);
  });

  it('ends in the same state for every order, repetition and loss of what ended before', async () => {
    const at = (second: number) => `2026-01-01T00:00:0${second}Z`;
    const story = [
      { id: 1, name: 'build', status: 'queued', started_at: at(0) },
      { id: 1, name: 'build', status: 'in_progress', started_at: at(1) },
      { id: 1, name: 'build', status: 'completed', conclusion: 'failure', started_at: at(1), completed_at: at(2) },
      { id: 2, name: 'build', status: 'completed', conclusion: 'success', started_at: at(3), completed_at: at(4) },
    ].map((change, index) => ({ id: `d${index}`, event: 'check_run', body: run(change) }));
    const last = story.at(-1) as Sent;
    const told = fc.array(fc.constantFrom(...story), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(told, fc.nat(6), async (sent, place) => {
        await database.clear();
        const sequence = [...sent.slice(0, place), last, ...sent.slice(place)];
        for (const [index, delivery] of sequence.entries())
          await send({ ...delivery, id: `${delivery.id}-${index % 4}` });
        await consume();
        expect(await db.selectFrom('ci_rollups').select('state').execute()).toEqual([{ state: 'success' }]);
      }),
      { numRuns: 25 },
    );
  });

  it('takes every recorded delivery of GitHub without an error', async () => {
    const recorded = recordedDeliveries();
    expect(recorded.length).toBeGreaterThan(300);
    for (const [index, { event, payload }] of recorded.entries()) {
      expect(await send({ id: `${event}-${index}`, event, body: JSON.stringify(payload) })).toBe(202);
    }
    await consume();
    const failed = await db.selectFrom('webhook_deliveries').select('id').where('state', '<>', 'done').execute();
    expect(failed).toEqual([]);
    expect((await db.selectFrom('ci_rollups').select('sha').execute()).length).toBeGreaterThan(0);
  }, 60_000);
});
