import { postgresStore } from '@millrace/ratelimit/postgres';
import { type FakeProvider, startFakeProvider } from '@millrace/ratelimit/testing';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { OpenDatabase } from '../src/db/open.ts';
import type { Gateway, ModelLease } from '../src/gateway/gateway.ts';
import { openGateway } from '../src/gateway/open.ts';
import { submit, testDatabase } from './support/database.ts';

let database: OpenDatabase;
let provider: FakeProvider;

beforeAll(async () => {
  database = await testDatabase();
  await postgresStore({ pool: database.pool }).migrate();
  provider = await startFakeProvider({ respond: () => ({ text: 'Hello.', usage: { input: 100, output: 40 } }) });
});
afterAll(async () => {
  await provider.close();
  await database.close();
});

/** The gateway of one worker; workers share nothing but the database. */
function worker(): Gateway {
  const anthropic = { key: 'real', baseUrl: provider.url };
  return openGateway({
    config: { providerAccounts: { anthropic }, parkAfter: 60_000 },
    db: database.db,
    limits: postgresStore({ pool: database.pool }),
    url: () => 'http://gateway',
    instrumentation: {},
    onError: () => {},
  });
}

async function call(gateway: Gateway, { access }: ModelLease): Promise<number> {
  const body = {
    model: 'claude-sonnet-4-5',
    max_tokens: 40,
    messages: [{ role: 'user', content: 'Hi. '.repeat(100) }],
  };
  const request = new Request('http://gateway/gateway/anthropic/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': access.token },
    body: JSON.stringify(body),
  });
  const response = await gateway.handle(request);
  await response?.text();
  return response?.status ?? 0;
}

async function open(gateway: Gateway, runId: string): Promise<ModelLease> {
  return await gateway.open({ runId, tenantId: 'default', provider: 'anthropic' }, () => {});
}

/** What all calls cost that were answered. */
async function booked(): Promise<{ calls: number; cost: number }> {
  const { calls, cost } = await database.db
    .selectFrom('usage_ledger')
    .select(({ fn }) => [fn.countAll<string>().as('calls'), fn.sum<string>('cost_microusd').as('cost')])
    .executeTakeFirstOrThrow();
  return { calls: Number(calls), cost: Number(cost ?? 0) };
}

test('workers together never spend more than a tenant may, however many call at once', async () => {
  const cap = 9_500;
  await database.db.updateTable('tenants').set({ monthly_budget_microusd: cap }).where('id', '=', 'default').execute();
  const workers = [worker(), worker(), worker()];
  const leases = await Promise.all(
    workers.map(async (gateway) => ({ gateway, lease: await open(gateway, await submit(database)) })),
  );
  const statuses: number[] = [];
  await Promise.all(
    leases.map(async ({ gateway, lease }) => {
      for (let round = 0; round < 5; round += 1) {
        statuses.push(...(await Promise.all([call(gateway, lease), call(gateway, lease), call(gateway, lease)])));
      }
    }),
  );
  const answered = statuses.filter((status) => status === 200).length;
  await waitFor(async () => (await booked()).calls === answered);
  const { cost } = await booked();
  expect(statuses.filter((status) => status !== 200 && status !== 402)).toEqual([]);
  expect(statuses).toContain(402);
  expect(cost).toBeLessThanOrEqual(cap);
  // A call costs 900 and holds more while it runs, so not all of the cap can be used.
  expect(cost).toBeGreaterThan(cap / 2);
  expect(leases.every(({ lease }) => lease.refusal?.reason === 'budget')).toBe(true);
});

test('what a run spent on one worker counts on the next', async () => {
  await database.db.updateTable('tenants').set({ monthly_budget_microusd: null }).where('id', '=', 'default').execute();
  const run = await submit(database, { budgetMicroUsd: 2_000 });
  const [first, second] = [worker(), worker()];
  const lease = await open(first, run);
  expect(await call(first, lease)).toBe(200);
  lease.close();
  const next = await open(second, run);
  expect([await call(second, next), await call(second, next)]).toEqual([200, 402]);
  expect(next.refusal).toMatchObject({ reason: 'budget', retryAfter: Number.POSITIVE_INFINITY });
});
