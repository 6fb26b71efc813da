import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readChecks, saveObservations } from '../../src/ci/checks.ts';
import { type Delivery, processDeliveries, storeDelivery } from '../../src/ci/deliveries.ts';
import { latest } from '../../src/ci/merge.ts';
import type { Observation } from '../../src/ci/observation.ts';
import { rollUp } from '../../src/ci/rollup.ts';
import { type CiTestDatabase, ciTestDatabase } from './database.ts';

let database: CiTestDatabase;
let db: CiTestDatabase['db'];
beforeAll(async () => {
  database = await ciTestDatabase();
  db = database.db;
});
afterEach(() => database.clear());
afterAll(() => database[Symbol.asyncDispose]());

const commit = { repoId: 1, sha: 'a'.repeat(40) };
const base: Observation = {
  ...commit,
  source: 'check_run',
  key: '7/build',
  parent: undefined,
  name: 'build',
  objectId: 1,
  attempt: 1,
  status: 'queued',
  conclusion: undefined,
  observedAt: 1_000,
  url: undefined,
};

const observation = fc
  .record({
    key: fc.constantFrom('7/build', '7/Test'),
    objectId: fc.integer({ min: 1, max: 2 }),
    attempt: fc.integer({ min: 1, max: 2 }),
    observedAt: fc.integer({ min: 1, max: 2 }),
    name: fc.constantFrom('build', 'Build', 'a-build'),
    state: fc.constantFrom(
      { status: 'in_progress', conclusion: undefined } as const,
      { status: 'completed', conclusion: 'success' } as const,
      { status: 'completed', conclusion: 'failure' } as const,
    ),
  })
  .map(({ state, ...rest }): Observation => ({ ...base, ...rest, ...state }));

const save = (observations: readonly Observation[]) =>
  db.transaction().execute((tx) => saveObservations(tx, observations));

describe('checks in the database', () => {
  it('end as the merge rule says, however the statements are cut into deliveries', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(observation, { maxLength: 3 }), { maxLength: 5 }), async (deliveries) => {
        await database.clear();
        for (const delivery of deliveries) await save(delivery);
        const expected = latest(deliveries.flat());
        const stored = latest(await readChecks(db, commit));
        expect(Object.fromEntries(stored)).toEqual(Object.fromEntries(expected));
        const row = await db.selectFrom('ci_rollups').select(['state', 'failing', 'waiting']).executeTakeFirst();
        if (deliveries.flat().length > 0) expect(row).toEqual(rollUp(expected));
      }),
      { numRuns: 150 },
    );
  });

  it('are the same when deliveries about one commit are saved at the same time', async () => {
    const statements = Array.from(
      { length: 20 },
      (_, index): Observation => ({
        ...base,
        key: `7/${index % 5}`,
        name: `job ${index % 5}`,
        status: 'completed',
        conclusion: 'success',
        objectId: index,
      }),
    );
    await Promise.all(statements.map((statement) => save([statement])));
    const row = await db.selectFrom('ci_rollups').select(['state', 'failing', 'waiting']).executeTakeFirst();
    expect(row).toEqual({ state: 'success', failing: [], waiting: [] });
  });

  it('say whether the roll-up is news', async () => {
    const [first] = await save([base]);
    const [second] = await save([base]);
    expect([first?.changed, second?.changed]).toEqual([true, false]);
  });
});

const delivery = (id: string): Delivery => ({ id, event: 'check_run', body: Buffer.from('{}') });
const noError = (error: unknown): never => {
  throw error;
};

describe('deliveries', () => {
  it('are processed once, though stored twice and consumed by several', async () => {
    const seen: string[] = [];
    expect(await storeDelivery(db, delivery('a'))).toBe(true);
    expect(await storeDelivery(db, delivery('a'))).toBe(false);
    await storeDelivery(db, delivery('b'));
    const consume = () => processDeliveries(db, async (_, { id }) => void seen.push(id), noError);
    await Promise.all([consume(), consume(), consume()]);
    expect(seen.sort()).toEqual(['a', 'b']);
    expect(await storeDelivery(db, delivery('a'))).toBe(false);
    expect(await consume()).toBe(0);
  });

  it('leave no trace of an attempt that failed, and are tried again later', async () => {
    const errors: string[] = [];
    await storeDelivery(db, delivery('a'));
    await processDeliveries(
      db,
      async (tx) => {
        await saveObservations(tx, [base]);
        throw new Error('the consumer broke');
      },
      (_, id) => errors.push(id),
    );
    expect(errors).toEqual(['a']);
    expect(await readChecks(db, commit)).toEqual([]);
    const row = await db.selectFrom('webhook_deliveries').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ state: 'pending', attempts: 1, error: 'the consumer broke' });
    expect(row.next_attempt_at.getTime()).toBeGreaterThan(row.received_at.getTime());
  });

  it('are left for a person after eight attempts, and get another chance when the forge sends them again', async () => {
    await storeDelivery(db, delivery('a'));
    for (let attempt = 1; attempt <= 8; attempt++) {
      await db
        .updateTable('webhook_deliveries')
        .set({ next_attempt_at: new Date(0) })
        .execute();
      await processDeliveries(
        db,
        () => Promise.reject(new Error('no')),
        () => {},
      );
    }
    const states = () => db.selectFrom('webhook_deliveries').select(['state', 'attempts']).execute();
    expect(await states()).toEqual([{ state: 'failed', attempts: 8 }]);
    expect(await storeDelivery(db, delivery('a'))).toBe(true);
    expect(await states()).toEqual([{ state: 'pending', attempts: 0 }]);
  });
});
