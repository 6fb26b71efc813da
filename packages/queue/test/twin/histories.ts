import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type {
  ClaimedJob,
  ExchangeRequest,
  FencedOutcome,
  NewJob,
  QueueAdapter,
  QueueStorage,
  Settlement,
  TenantLimits,
} from '../../src/index.ts';
import { memoryAdapter } from '../../src/memory.ts';

// An adapter that decides inside its store must do what the engine of the memory adapter does. Times are far away or none, and claims take all
// there is, so that only what both must agree on is compared: what is claimed of each tenant in which order, every job's state, every counter.

let queues = 0;

const hour = 3_600_000;
const tenant = fc.constantFrom('', 'a', 'b,%', 'c\n');
const spec = fc.oneof(
  fc.constant(undefined),
  fc.record({ key: fc.constantFrom('k', 'l'), mode: fc.constantFrom('pending' as const, 'keep-last' as const) }),
  fc.record({ key: fc.constantFrom('m', 'n'), mode: fc.constant('debounce' as const), ttl: fc.constant(hour) }),
  fc.record({ key: fc.constantFrom('o', 'p'), mode: fc.constant('window' as const), ttl: fc.constant(hour) }),
);
const details = fc.record({
  tenant,
  dedupe: spec,
  priority: fc.constantFrom(0, 0, 0, 5, -5),
  delay: fc.constantFrom(0, 0, 0, hour),
  maxAttempts: fc.constantFrom(1, 3),
  cost: fc.constantFrom(0, 0, 3),
  keepResult: fc.constantFrom(0, 0, hour),
});
const limits = fc.record(
  {
    maxLeased: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    maxWaiting: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
    budget: fc.option(fc.record({ units: fc.integer({ min: 1, max: 9 }), per: fc.constant(1e9) }), { nil: undefined }),
  },
  { requiredKeys: [] },
);
const picks = fc.array(fc.nat(60), { maxLength: 4 });
const kinds = fc.constantFrom(
  'ack',
  'ack',
  'ack',
  'result',
  'retry',
  'later',
  'snooze',
  'release',
  'dead',
  'cancelled',
  'keep',
);

type Details = Pick<NewJob, 'tenant' | 'priority' | 'delay' | 'maxAttempts' | 'cost' | 'keepResult'> & {
  readonly dedupe: NewJob['dedupe'] | undefined;
};

/** What is done to both stores. */
export type Step =
  | { readonly do: 'enqueue'; readonly jobs: Details[] }
  | { readonly do: 'flow'; readonly details: Details; readonly children: boolean[] }
  | { readonly do: 'exchange'; readonly session: number; readonly kinds: string[]; readonly claim: boolean }
  | { readonly do: 'end'; readonly session: number }
  | { readonly do: 'limit'; readonly tenant: string; readonly limits: TenantLimits }
  | { readonly do: 'pause'; readonly tenant: string | undefined; readonly paused: boolean }
  | { readonly do: 'cancel' | 'promote' | 'redrive' | 'purge'; readonly ids: number[] }
  | { readonly do: 'priority'; readonly ids: number[]; readonly priority: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      jobs: fc.array(details, { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('flow' as const),
      details,
      children: fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('exchange' as const),
      session: fc.nat(1),
      kinds: fc.array(kinds, { maxLength: 12 }),
      claim: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), session: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('limit' as const), tenant, limits }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pause' as const),
      tenant: fc.option(tenant, { nil: undefined }),
      paused: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('cancel' as const, 'promote' as const, 'redrive' as const, 'purge' as const),
      ids: picks,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('priority' as const), ids: picks, priority: fc.constantFrom(-5, 0, 5) }),
  },
);

/** One of the two stores, with what its workers hold. */
interface Side {
  readonly storage: QueueStorage;
  readonly held: [Map<string, ClaimedJob>, Map<string, ClaimedJob>];
  readonly calls: [number, number];
  readonly generation: [number, number];
}

function newJob(id: string, given: Partial<NewJob>): NewJob {
  const base = {
    name: `n${id.length}`,
    payload: JSON.stringify({ id, text: 'ü\n%' }),
    bytes: 10,
    tenant: '',
    priority: 0,
    delay: 0,
  };
  return { id, ...base, maxAttempts: 3, cost: 0, keepResult: 0, children: 0, ...given };
}

function settlement(kind: string, { id, fence, attempt }: ClaimedJob): Settlement[] {
  const lease = { jobId: id, fence };
  const failure = { attempt, at: 1, message: 'boom', code: 'E', fingerprint: `f${id.length}` };
  if (kind === 'ack' || kind === 'cancelled' || kind === 'release') return [{ ...lease, kind }];
  if (kind === 'result') return [{ ...lease, kind: 'ack', result: '"r"' }];
  if (kind === 'retry' || kind === 'later')
    return [{ ...lease, kind: 'retry', delay: kind === 'later' ? hour : 0, failure }];
  if (kind === 'snooze') return [{ ...lease, kind, delay: 0 }];
  return kind === 'dead' ? [{ ...lease, kind, failure }] : [];
}

interface ExchangeAnswer {
  readonly settled: readonly FencedOutcome[];
  readonly order: Readonly<Record<string, readonly ClaimedJob[]>>;
  readonly cancels: readonly string[];
}

async function exchange(side: Side, session: 0 | 1, more: Partial<ExchangeRequest>): Promise<ExchangeAnswer> {
  side.calls[session] += 1;
  const answer = await side.storage.exchange({
    ...{
      session: `s${session}.${side.generation[session]}`,
      begin: side.calls[session] === 1,
      lease: hour,
      call: side.calls[session],
    },
    ...{ lostCalls: [], claim: 0, settle: [], extend: [], progress: [], housekeeping: 1_000, end: false },
    ...more,
  });
  for (const job of answer.claimed) side.held[session].set(job.id, job);
  const order: Record<string, ClaimedJob[]> = {};
  for (const job of answer.claimed) {
    order[job.tenant] ??= [];
    order[job.tenant]?.push({ ...job, fence: 0, enqueuedAt: 0 });
  }
  return { settled: answer.settled, order, cancels: answer.cancelRequests.map(({ jobId }) => jobId).sort() };
}

async function act(side: Side, action: Step, known: string[], fresh: () => string): Promise<unknown> {
  const ids = 'ids' in action ? action.ids.map((index) => known[index] ?? 'unknown') : [];
  switch (action.do) {
    case 'enqueue':
      return side.storage.enqueue({
        jobs: action.jobs.map(({ dedupe, ...rest }) => newJob(fresh(), { ...rest, ...(dedupe && { dedupe }) })),
      });
    case 'flow': {
      const { dedupe: _, ...rest } = action.details;
      const parent = newJob(fresh(), { ...rest, delay: 0, children: action.children.length });
      const children = action.children.map((ignore) =>
        newJob(fresh(), { tenant: rest.tenant, parentId: parent.id, onFailure: ignore ? 'ignore' : 'fail-parent' }),
      );
      return side.storage.enqueue({ jobs: [parent, ...children], atomic: true });
    }
    case 'exchange': {
      const session = action.session as 0 | 1;
      const jobs = [...side.held[session].values()].sort((a, b) => a.id.localeCompare(b.id));
      const settle = jobs.flatMap((job, index) => settlement(action.kinds[index] ?? 'keep', job));
      for (const { jobId } of settle) side.held[session].delete(jobId);
      return exchange(side, session, { settle, claim: action.claim ? 500 : 0 });
    }
    case 'end': {
      const session = action.session as 0 | 1;
      const answer = await exchange(side, session, { end: true });
      side.held[session].clear();
      side.calls[session] = 0;
      side.generation[session] += 1;
      return answer;
    }
    case 'limit':
      return side.storage.control('limitTenant', { tenant: action.tenant, limits: action.limits }).then(withoutTime);
    case 'pause':
      return side.storage.control(
        action.paused ? 'pause' : 'resume',
        action.tenant === undefined ? {} : { tenant: action.tenant },
      );
    case 'priority':
      return side.storage.control('setPriority', { ids, priority: action.priority });
    case 'redrive':
      return side.storage.control('redrive', { ids, spacing: 0, offset: 0 });
    default:
      return side.storage.control(action.do, { ids });
  }
}

function withoutTime<T extends object>(view: T): object {
  const timeless = { ...view, parkedFor: 0, enqueuedAt: 0, readyAt: 0, finishedAt: 0, oldestReadyAge: 0 };
  return {
    ...timeless,
    ...('lease' in view && { lease: true }),
    ...('failures' in view && { failures: (view.failures as object[]).length }),
  };
}

async function look(side: Side, ids: readonly string[]): Promise<unknown> {
  const { storage } = side;
  const [counts, tenants, priorities, groups, jobs] = await Promise.all([
    storage.control('counts', {}),
    storage.control('tenants', { limit: 500 }),
    storage.control('priorities', {}),
    storage.control('errorGroups', { limit: 100 }),
    Promise.all(ids.map((id) => storage.control('job', { id }))),
  ]);
  const active = tenants.items.filter(
    (view) => view.ready + view.delayed + view.leased + view.spent > 0 || view.paused,
  );
  return {
    counts: withoutTime(counts),
    tenants: active.map(withoutTime),
    priorities,
    groups: groups.map(({ fingerprint, count }) => `${fingerprint} ${count}`).sort(),
    jobs: jobs.map((job) => job && withoutTime(job)),
  };
}

function openSide(storage: QueueStorage): Side {
  return { storage, held: [new Map(), new Map()], calls: [0, 0], generation: [0, 0] };
}

const isExchange = (answer: unknown): answer is ExchangeAnswer =>
  typeof answer === 'object' && answer !== null && 'order' in answer;

/**
 * Jobs that one call made ready again are equal in time: the engine lists them as they were made, Redis as they were settled.
 *
 * @param stepBefore - the step that was so many steps before this one
 * @returns by job id, which of the engine's claimed jobs are equal
 */
function tiesOf(answer: unknown, stepBefore: (steps: number) => Step | undefined): ReadonlyMap<string, string> {
  const tied = new Map<string, string>();
  if (!isExchange(answer)) return tied;
  for (const { id, priority, waitMs } of Object.values(answer.order).flat()) {
    const step = stepBefore(waitMs)?.do;
    tied.set(id, step === 'enqueue' || step === 'flow' ? id : `${priority} ${waitMs}`);
  }
  return tied;
}

/** Equal jobs that stand together, in the order of their ids; the rest stays as it is. */
function withSortedTies(answer: unknown, tied: ReadonlyMap<string, string>): unknown {
  if (!isExchange(answer)) return answer;
  const sorted = Object.entries(answer.order).map(([tenant, jobs]) => {
    let run = 0;
    const runs = jobs.map(({ id }, index) => {
      if (tied.get(id) !== tied.get(jobs[index - 1]?.id ?? '')) run += 1;
      return run;
    });
    const places = jobs.map((job, index) => ({ run: runs[index] ?? 0, job: { ...job, waitMs: 0 } }));
    return [tenant, places.sort((a, b) => a.run - b.run || a.job.id.localeCompare(b.job.id)).map(({ job }) => job)];
  });
  return { ...answer, order: Object.fromEntries(sorted) };
}

/** Stores order what is ready by the millisecond: jobs of two steps in one would be equal there, and are not for the engine. */
async function untilNextMillisecond(): Promise<void> {
  const at = Date.now();
  while (Date.now() === at) await setImmediate();
}

async function runTwins(adapter: QueueAdapter, steps: readonly Step[], strict: boolean): Promise<void> {
  queues += 1;
  // The engine's time is the number of the step, so that its waiting times say which step made a job ready.
  let now = Date.now();
  const context = { queue: `q${queues}`, clock: systemClock, random: Math.random };
  const engine = await memoryAdapter().open({ ...context, clock: { ...systemClock, now: () => now } });
  const sides = [openSide(engine), openSide(await adapter.open(context))] as const;
  for (const { storage } of sides) await storage.control('configure', { aging: strict ? 0 : 60_000 });
  const known: string[] = [];
  for (const [index, action] of steps.entries()) {
    now += 1;
    await untilNextMillisecond();
    const before = known.length;
    const answers = [];
    for (const side of sides) {
      let made = before;
      answers.push(await act(side, action, known, () => `job${made++}`));
      for (let index = known.length; index < made; index += 1) known.push(`job${index}`);
    }
    const tied = tiesOf(answers[0], (waitMs) => steps[index - waitMs]);
    expect(withSortedTies(answers[1], tied), JSON.stringify(action)).toEqual(withSortedTies(answers[0], tied));
    expect(await look(sides[1], known), JSON.stringify(action)).toEqual(await look(sides[0], known));
  }
}

/**
 * Random histories on the adapter and on memory: each answer, and after each step every counter and every job, must be the same.
 * `TWIN_RUNS`, `TWIN_SEED` and `TWIN_PATH` of the environment repeat what failed.
 *
 * @param comparable - takes out of a history what the two may do differently
 */
export async function compareWithEngine(
  adapter: QueueAdapter,
  comparable: (steps: readonly Step[]) => readonly Step[] = (steps) => steps,
  runs = 120,
): Promise<void> {
  const history = fc.array(step, { minLength: 5, maxLength: 40 });
  const compare = (steps: readonly Step[], strict: boolean): Promise<void> =>
    runTwins(adapter, comparable(steps), strict);
  await fc.assert(fc.asyncProperty(history, fc.boolean(), compare), {
    numRuns: Number(process.env.TWIN_RUNS ?? runs),
    endOnFailure: true,
    ...(process.env.TWIN_SEED && { seed: Number(process.env.TWIN_SEED), path: process.env.TWIN_PATH ?? '' }),
  });
}
