import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ciTables } from '../../src/ci/await-checks.ts';
import { storeDelivery } from '../../src/ci/deliveries.ts';
import { type SweepOptions, sweepHook } from '../../src/ci/sweep.ts';
import type { OpenDatabase } from '../../src/db/open.ts';
import { createGithubClients } from '../../src/forge/github/clients.ts';
import { openGithub } from '../../src/forge/github/github.ts';
import { testDatabase } from '../support/database.ts';
import { type FakeGithub, startFakeGithub } from '../support/fake-github.ts';
import { githubDescription } from '../support/github-description.ts';

let database: OpenDatabase;
let fake: FakeGithub;
let time = Date.now();

beforeAll(async () => {
  database = await testDatabase();
  fake = await startFakeGithub({ owner: 'acme', name: 'app' });
});
afterAll(async () => {
  await fake[Symbol.asyncDispose]();
  await database.close();
  expect(fake.violations).toEqual([]);
});

function options(): SweepOptions {
  const auth = { kind: 'token', token: 't' } as const;
  const settings = { webUrl: 'https://github.example', apiUrl: fake.url, auth, hook: '/repos/acme/app/hooks/5' };
  const { hookLog } = openGithub(settings, createGithubClients({ settings }));
  if (!hookLog) throw new Error('no log');
  const now = () => sql<Date>`${new Date(time)}::timestamptz`;
  return { db: ciTables(database.db), log: hookLog, interval: 300_000, onError: () => {}, now };
}

/** GitHub notes an attempt to deliver; the newest comes first. */
function attempt(id: number, guid: string, status_code: number): void {
  const [example] = githubDescription().example('hook-delivery-items') as unknown as Record<string, unknown>[];
  fake.repo.deliveries.unshift({ ...example, id, guid, status_code, status: status_code === 202 ? 'OK' : 'failed' });
}

test('what did not arrive is asked for again, once; what arrived is not', async () => {
  await storeDelivery(ciTables(database.db), { id: 'arrived', event: 'push', body: Buffer.from('{}') });
  await storeDelivery(ciTables(database.db), { id: 'second-try', event: 'push', body: Buffer.from('{}') });
  attempt(1, 'arrived', 202);
  attempt(2, 'failed', 502);
  attempt(3, 'second-try', 502);
  attempt(4, 'second-try', 202);
  attempt(5, 'lost-with-a-backup', 202);
  expect(await sweepHook(options())).toBe(2);
  expect(fake.repo.redelivered.toSorted()).toEqual([2, 5]);

  expect(await sweepHook(options()), 'too early for another sweep').toBe(0);
  time += 300_000;
  attempt(6, 'failed', 502);
  expect(await sweepHook(options()), 'it failed again').toBe(1);
  expect(fake.repo.redelivered.at(-1)).toBe(6);
});

test('of many processes one sweeps', async () => {
  time += 300_000;
  attempt(7, 'seven', 500);
  const counts = await Promise.all(Array.from({ length: 5 }, () => sweepHook(options())));
  expect(counts.toSorted()).toEqual([0, 0, 0, 0, 1]);
});

test('a sweep that fails is made up for by the next one', async () => {
  time += 300_000;
  attempt(8, 'eight', 500);
  fake.fail({ when: (method) => method === 'POST', answer: { status: 404 }, afterEffect: false });
  await expect(sweepHook(options())).rejects.toThrow();
  time += 300_000;
  expect(await sweepHook(options())).toBe(1);
});
