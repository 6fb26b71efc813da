import { join } from 'node:path';
import { temporaryDirectory } from '@millrace/test-support';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IdempotencyStore } from '../../src/index.ts';
import { redisStore } from '../../src/redis.ts';
import { sqliteStore } from '../../src/sqlite.ts';
import { freshPostgres, freshRedis } from '../stores/servers.ts';
import { allSteps, type StoreAddress, startChild } from './protocol.ts';
import { storm } from './storm.ts';
import { expectedOutcome, loseExecutor } from './zombies.ts';

const opened: AsyncDisposable[] = [];
const stores = new Map<StoreAddress['kind'], { address: StoreAddress; store: IdempotencyStore<never> }>();

beforeAll(async () => {
  const directory = await temporaryDirectory();
  const redis = await freshRedis();
  const postgres = await freshPostgres();
  opened.push(directory, redis, postgres);
  const add = (address: StoreAddress, store: unknown): void =>
    void stores.set(address.kind, { address, store: store as IdempotencyStore<never> });
  const path = join(directory.path, 'keys.db');
  add({ kind: 'sqlite', at: path }, sqliteStore({ path }));
  add({ kind: 'redis', at: redis.url }, redisStore({ redis: redis.redis as Redis }));
  add({ kind: 'postgres', at: postgres.url }, postgres.store);
});
afterAll(async () => {
  for (const { store } of stores.values()) await store.close();
  for (const one of opened) await one[Symbol.asyncDispose]();
});

const of = (kind: StoreAddress['kind']) => stores.get(kind) as NonNullable<ReturnType<typeof stores.get>>;

describe.each(['sqlite', 'redis', 'postgres'] as const)('%s', (kind) => {
  test('1,000 concurrent identical calls from 4 processes: one execution, no error', async () => {
    const children = await Promise.all([1, 2, 3, 4].map(() => startChild(of(kind).address)));
    try {
      for (const round of [1, 2]) {
        const { executed, replayed, refused, errors } = await storm(children, `round ${round}`, 1000);
        expect({ executed, errors }).toEqual({ executed: 1, errors: [] });
        expect(replayed + refused).toBe(999);
      }
    } finally {
      await Promise.all(children.map((child) => child[Symbol.asyncDispose]()));
    }
  });

  const cases = (['takeover', 'park'] as const).flatMap((policy) =>
    (['kill', 'stop'] as const).map((how) => [policy, how] as const),
  );
  test.each(cases)('%s after %s, step by step', { timeout: 60_000 }, async (policy, how) => {
    const { address, store } = of(kind);
    // Starting processes is what takes the time here: of parking, the first and the last step; the bench has them all.
    const steps =
      policy === 'park' ? allSteps.filter((step) => step === 'begun' || step === 'before complete') : allSteps;
    const outcomes = await Promise.all(steps.map((step) => loseExecutor(address, store, { policy, how, step })));
    const expected = steps.map((step) => expect.objectContaining(expectedOutcome({ policy, how, step })));
    expect(outcomes).toEqual(expected);
    if (policy === 'park') return;
    // The work of a phase is repeated only when its executor was lost before the checkpoint.
    const { phases } = outcomes[steps.indexOf('after phase')] as { phases: number };
    expect(phases).toBe(1);
  });
});
