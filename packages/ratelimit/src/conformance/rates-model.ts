import assert from 'node:assert/strict';
import { MemoryRates } from '../memory/rates.ts';
import { type DebitDecision, type DebitRequest, type RateTable, usualWaitMs } from '../store.ts';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';

/** An hour per unit: the microseconds that a store takes to answer change no decision. */
const interval = 3_600_000_000;
const steps = 12;

/** Compares a store with the arithmetic in this process, over random batches, corrections and pauses. */
export function modelTests(it: TestFunctions['it'], open: OpenStore<'rates'>): void {
  for (const shares of [[1], [0.5, 0.5]]) {
    it(`decides like the model, ${shares.length === 1 ? 'one class' : `${shares.length} classes`}`, () =>
      withStore(open, async ({ store }) => {
        for (let seed = 1; seed <= 8; seed++) {
          const random = generator(seed);
          const model = new MemoryRates({ ...systemTime, monotonic: () => 1e9 });
          const table = randomTable(shares);
          for (let step = 1; step <= steps; step++) {
            const batch = randomBatch(random, shares.length);
            const expected = model.debit(table, batch);
            const actual = await store.rates.debit(table, batch);
            const where = `seed ${seed}, step ${step}: ${JSON.stringify(batch)}`;
            assert.deepEqual(actual.map(coarse), expected.map(coarse), where);
            const [request, decision] = [batch[0], expected[0]];
            if (request === undefined || decision === undefined || decision.granted === 0) continue;
            if (random(3) > 0) continue;
            const delta = request.cost.map((units) => -Math.floor(units / 2));
            model.adjust(table, [{ delta, at: decision.at, share: decision.share }]);
            const { at, share } = actual[0] as DebitDecision;
            await store.rates.adjust(table, [{ delta, at, share }]);
          }
        }
      }));
  }
}

const systemTime = { now: () => 0, setTimeout: () => 0, clearTimeout: () => {} };

function randomTable(shares: readonly number[]): RateTable {
  const account = unique('model');
  const limits = [
    { scope: 0, interval, burst: 8 },
    { scope: 1, interval: 2 * interval, burst: 12 },
    { scope: 0, interval: 3 * interval, burst: 20 },
  ];
  return { id: account, account, scopes: ['', 'tenant'], limits, shares, recovery: 0 };
}

/** Batches with equal neighbours, costs above the burst, leases, short and long waits; and the single call that most are. */
function randomBatch(random: (below: number) => number, classes: number): DebitRequest[] {
  if (random(4) === 0) return [{ cost: [1, 1, 1], maxWait: usualWaitMs, share: random(classes), copies: 1 }];
  const batch: DebitRequest[] = [];
  for (let i = random(4); i >= 0; i--) {
    const copies = random(6) === 0 ? 2 + random(5) : 1;
    const request = {
      cost: [random(5), random(14), random(3)],
      maxWait: random(3) === 0 ? 0 : random(60) * 3_600_000,
      share: random(classes),
      copies,
    };
    for (let n = copies > 1 ? 0 : random(4); n >= 0; n--) batch.push(request);
  }
  return batch;
}

/** A decision without what depends on the time of day; waits in minutes. */
function coarse({ granted, wait, limitedBy, share }: DebitDecision): object {
  return { granted, minutes: Math.round(wait / 60_000), limitedBy, share };
}

/** Park and Miller's generator: the same numbers for the same seed everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed * 7_919;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
