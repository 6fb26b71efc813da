import { type NewJob, type QueueAdapter, type QueueStorage, systemClock } from '@millrace/queue';
import { type Bench, compare, median, type Result } from '../result.ts';

/** How jobs are spread. */
interface Spread {
  readonly waiting: number;
  readonly tenants: number;
  readonly priorities: number;
}

const payload = JSON.stringify({ pad: 'x'.repeat(190) });
const batch = 50;

function makeJob(n: number, { tenants, priorities }: Spread): NewJob {
  return {
    id: `job-${n}`,
    name: 'work',
    payload,
    bytes: payload.length,
    tenant: `t${n % tenants}`,
    priority: n % priorities,
    delay: 0,
    maxAttempts: 3,
    cost: 0,
    keepResult: 0,
    children: 0,
  };
}

let queues = 0;

async function openFilled(adapter: QueueAdapter, spread: Spread): Promise<QueueStorage> {
  queues += 1;
  const storage = await adapter.open({ queue: `q${queues}`, clock: systemClock, random: Math.random });
  for (let from = 0; from < spread.waiting; from += 1_000) {
    const jobs = Array.from({ length: Math.min(1_000, spread.waiting - from) }, (_, n) => makeJob(from + n, spread));
    await storage.enqueue({ jobs });
  }
  return storage;
}

/** One exchange that claims 50 jobs and settles the 50 before. */
function createClaimer(storage: QueueStorage): () => Promise<void> {
  let call = 0;
  let held: readonly { readonly id: string; readonly fence: number }[] = [];
  return async () => {
    call += 1;
    const settle = held.map(({ id, fence }) => ({ kind: 'ack', jobId: id, fence }) as const);
    const answer = await storage.exchange({
      session: 'bench',
      begin: call === 1,
      lease: 3_600_000,
      call,
      lostCalls: [],
      claim: batch,
      settle,
      extend: [],
      progress: [],
      housekeeping: 100,
      end: false,
    });
    held = answer.claimed;
    if (held.length < batch) throw new Error('The bench has run out of jobs.');
  };
}

/** Claims from both queues in turn, so that the noise of the machine meets both; microseconds per job, median of the exchanges. */
async function compareCost(
  metric: string,
  adapter: QueueAdapter,
  loaded: Spread,
  base: Spread,
  baseName: string,
): Promise<Result> {
  const claimers = [createClaimer(await openFilled(adapter, loaded)), createClaimer(await openFilled(adapter, base))];
  const times: [number[], number[]] = [[], []];
  const rounds = Math.floor(base.waiting / batch) - 2;
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, claim] of claimers.entries()) {
      const startedAt = performance.now();
      await claim();
      times[index]?.push(((performance.now() - startedAt) * 1_000) / batch);
    }
  }
  const warm = (values: readonly number[]): number => median(values.slice(Math.floor(values.length / 5)));
  return compare(metric, warm(times[0]), warm(times[1]), baseName, 'µs/job');
}

/** The three costs that must not grow: with depth, with tenants, with priorities. */
export function claimCostBench(store: string, open: () => { adapter: QueueAdapter; close(): Promise<void> }): Bench {
  const metrics = [`${store}.depth.1m`, `${store}.tenants.100k`, `${store}.priorities.1k`];
  return {
    metrics,
    run: async ({ quick }) => {
      const few: Spread = { waiting: 5_000, tenants: 1, priorities: 1 };
      const cases: [string, Spread, Spread, string][] = [
        [`${store}.depth.1m`, { ...few, waiting: quick ? 200_000 : 1_000_000 }, few, '5 k waiting'],
        [`${store}.tenants.100k`, { ...few, waiting: quick ? 100_000 : 200_000, tenants: 100_000 }, few, '1 tenant'],
        [
          `${store}.priorities.1k`,
          { ...few, waiting: 20_000, priorities: 1_000 },
          { ...few, waiting: 20_000 },
          '1 priority',
        ],
      ];
      const results: Result[] = [];
      for (const [metric, loaded, base, name] of cases) {
        const { adapter, close } = open();
        results.push(await compareCost(metric, adapter, loaded, base, name));
        await adapter.close();
        await close();
      }
      return results;
    },
  };
}
