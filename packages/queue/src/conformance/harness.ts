import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { systemClock } from '../clock.ts';
import type {
  ClaimedJob,
  ControlAnswer,
  ControlInput,
  ControlOperation,
  EnqueueAnswer,
  ExchangeAnswer,
  ExchangeRequest,
  JobFailure,
  JobView,
  NewJob,
  QueueAdapter,
  QueueStorage,
  Settlement,
} from '../contract/index.ts';

/** The functions of a test runner: vitest, node:test, mocha, jest … */
export interface TestFunctions {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  afterAll(body: () => Promise<void>): unknown;
}

/** The adapter to be proven. */
export interface ConformanceTarget {
  readonly name: string;
  /** Opens the adapter on a store where the suite may make and leave queues with names of its own. Called once. */
  create(): Promise<QueueAdapter> | QueueAdapter;
  /** Frees what `create` took, after the adapter was closed. */
  destroy?(): Promise<void>;
  /**
   * A second adapter on the same store, as another process would open it. Without it the tests with several connections use one adapter.
   */
  createSecond?(): Promise<QueueAdapter> | QueueAdapter;
  /** For adapters with a clock of the store: stretches every wait, for slow machines. @default 1 */
  readonly patience?: number;
}

/** Lease of the sessions in the suite, in milliseconds. */
export const leaseMs = 400;

/** A clock that the suite moves by hand. */
interface ManualClock extends Clock {
  advance(ms: number): void;
}

function manualClock(): ManualClock {
  let offset = 0;
  const start = 1_700_000_000_000;
  return {
    ...systemClock,
    now: () => start + offset,
    monotonic: () => offset,
    advance: (ms) => {
      offset += ms;
    },
  };
}

/** One adapter for all tests of a run, opened at first use. */
export interface AdapterHolder {
  readonly target: ConformanceTarget;
  adapter(): Promise<QueueAdapter>;
  second(): Promise<QueueAdapter>;
  close(): Promise<void>;
}

/** Creates the holder. */
export function holdAdapter(target: ConformanceTarget): AdapterHolder {
  let first: Promise<QueueAdapter> | undefined;
  let other: Promise<QueueAdapter> | undefined;
  const adapter = (): Promise<QueueAdapter> => {
    first ??= Promise.resolve(target.create());
    return first;
  };
  return {
    target,
    adapter,
    second: () => {
      other ??= target.createSecond === undefined ? adapter() : Promise.resolve(target.createSecond());
      return other;
    },
    close: async () => {
      if (other !== undefined && other !== first) await (await other).close();
      await (await first)?.close();
      await target.destroy?.();
    },
  };
}

let queues = 0;

/** A queue of one test, with short words for what tests do. */
export interface Fixture {
  readonly storage: QueueStorage;
  /** The same queue over a second connection, where the target has one. */
  readonly other: QueueStorage;
  readonly adapter: QueueAdapter;
  /** Lets store time pass. */
  advance(ms: number): Promise<void>;
  /** Enqueues jobs; a string is an id. */
  add(...jobs: (string | (Partial<NewJob> & { readonly id: string }))[]): Promise<readonly EnqueueAnswer[]>;
  /** A worker's session, on the first or on the given connection. */
  session(storage?: QueueStorage): TestSession;
  control<Op extends ControlOperation>(operation: Op, input: ControlInput<Op>): Promise<ControlAnswer<Op>>;
  view(id: string): Promise<JobView | undefined>;
  state(id: string): Promise<JobView['state'] | 'gone'>;
  close(): Promise<void>;
}

/** A session that counts its calls. */
export interface TestSession {
  readonly id: string;
  /** One exchange; what is left out is empty. */
  exchange(request?: Partial<ExchangeRequest>): Promise<ExchangeAnswer>;
  /** Claims up to `count` jobs. */
  claim(count: number): Promise<readonly ClaimedJob[]>;
  /** Claims exactly one. */
  claimOne(): Promise<ClaimedJob>;
  settle(job: ClaimedJob, ending: Ending): Promise<'applied' | 'stale'>;
}

/** A settlement without its lease. */
export type Ending = Settlement extends infer S ? (S extends Settlement ? Omit<S, 'jobId' | 'fence'> : never) : never;

/** A failure as workers report it. */
export function failure(message = 'broken', attempt = 1): JobFailure {
  return { attempt, at: 0, message, code: 'Error', fingerprint: `Error ${message}` };
}

/** A job as the core would make it. */
export function newJob(job: Partial<NewJob> & { readonly id: string }): NewJob {
  const payload = job.payload ?? '{"n":1}';
  return {
    name: 'work',
    payload,
    bytes: payload.length,
    tenant: '',
    priority: 0,
    delay: 0,
    maxAttempts: 3,
    cost: 0,
    keepResult: 0,
    children: 0,
    ...job,
  };
}

/** Opens a queue of its own for one test. */
export async function openFixture(holder: AdapterHolder): Promise<Fixture> {
  const adapter = await holder.adapter();
  const manual = adapter.capabilities.clock === 'given' ? manualClock() : undefined;
  const clock = manual ?? systemClock;
  queues += 1;
  const queue = `conformance-${process.pid}-${Date.now().toString(36)}-${queues}`;
  const storage = await adapter.open({ queue, clock, random: Math.random });
  const secondAdapter = await holder.second();
  const other = await secondAdapter.open({ queue, clock, random: Math.random });
  const patience = holder.target.patience ?? 1;
  const view = (id: string): Promise<JobView | undefined> => storage.control('job', { id });
  return {
    storage,
    other,
    adapter,
    advance: async (ms) => {
      if (manual === undefined) await wait(ms * patience);
      else manual.advance(ms);
    },
    add: (...jobs) => storage.enqueue({ jobs: jobs.map((job) => newJob(typeof job === 'string' ? { id: job } : job)) }),
    session: (over = storage) => createSession(over),
    control: (operation, input) => storage.control(operation, input),
    view,
    state: async (id) => (await view(id))?.state ?? 'gone',
    close: async () => {
      await other.close();
      await storage.close();
    },
  };
}

let sessions = 0;

function createSession(storage: QueueStorage): TestSession {
  sessions += 1;
  const id = `session-${process.pid}-${Date.now().toString(36)}-${sessions}`;
  let calls = 0;
  async function exchange(request: Partial<ExchangeRequest> = {}): Promise<ExchangeAnswer> {
    calls += 1;
    return storage.exchange({
      session: id,
      begin: calls === 1,
      lease: leaseMs,
      call: calls,
      lostCalls: [],
      claim: 0,
      settle: [],
      extend: [],
      progress: [],
      housekeeping: 100,
      end: false,
      ...request,
    });
  }
  return {
    id,
    exchange,
    claim: async (count) => (await exchange({ claim: count })).claimed,
    claimOne: async () => {
      const { claimed } = await exchange({ claim: 1 });
      assert.equal(claimed.length, 1, 'one job must be claimable');
      return claimed[0] as ClaimedJob;
    },
    settle: async (job, ending) => {
      const answer = await exchange({ settle: [{ jobId: job.id, fence: job.fence, ...ending } as Settlement] });
      return answer.settled[0] as 'applied' | 'stale';
    },
  };
}

/** Ids, in the order of claiming. */
export function idsOf(jobs: readonly { readonly id: string }[]): string[] {
  return jobs.map(({ id }) => id);
}

/** Repeats until the condition holds; fails after a generous time of the wall clock. */
export async function eventually(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) assert.fail(`did not happen: ${what}`);
    await wait(10);
  }
}

/** One test: gets a queue of its own, which is closed afterwards. */
export type Case = (name: string, body: (fixture: Fixture) => Promise<void>) => void;

/** A group of cases. */
export type Group = (test: Case) => void;
