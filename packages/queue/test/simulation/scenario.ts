import type {
  AdapterContext,
  Clock,
  createQueue,
  defineJob,
  ExchangeAnswer,
  ExchangeRequest,
  HandlerContext,
  HandOff,
  JobDefinition,
  Queue,
  QueueAdapter,
  QueueStorage,
} from '@millrace/queue';
import type { memoryAdapter } from '@millrace/queue/memory';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { createModel, type Model } from './model.ts';
import { createWorld, type Process, randomOf, type World } from './world.ts';

/** The code under test: the package itself, or a copy with a bug planted. */
export interface Subject {
  readonly createQueue: typeof createQueue;
  readonly defineJob: typeof defineJob;
  readonly memoryAdapter: typeof memoryAdapter;
}

/** How often what goes wrong, from 0 to 1. */
interface Faults {
  readonly before: number;
  readonly after: number;
  readonly hang: number;
  readonly late: number;
  readonly jumps: boolean;
}

const lease = 1_500;
/** From then on nothing goes wrong any more, and everything must come to its end. */
const calmAt = 3_500;
const deadline = 90_000;

const anything: StandardSchemaV1<number> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as number }) },
};

type TypedQueue = Queue<readonly [JobDefinition<'work', typeof anything>, JobDefinition<'watched', typeof anything>]>;

/** An offer in the store. */
interface StandingOffer {
  readonly call: number;
  readonly most: number;
  readonly until: number;
  readonly lease: number;
  readonly clock: Clock;
}

/** A handler that is running. */
interface Running {
  readonly process: Process;
  readonly ctx: HandlerContext;
}

/**
 * Runs one scenario: producers and workers over a store that fails, in processes that crash and pause. The seed decides everything.
 *
 * @returns what was violated, in the order in which it was seen
 */
export async function simulate(seed: number, subject: Subject): Promise<readonly string[]> {
  const random = randomOf(seed);
  const scenario = new Scenario(random, subject);
  return scenario.play();
}

class Scenario {
  readonly #random: () => number;
  readonly #subject: Subject;
  readonly #world: World = createWorld();
  readonly #model: Model = createModel();
  readonly #adapter: QueueAdapter;
  readonly #faults: Faults;
  readonly #running = new Map<string, Set<Running>>();
  /** Sessions that have offered to be handed jobs, and who listens for them. */
  readonly #offers = new Map<string, StandingOffer>();
  readonly #receivers = new Map<string, (handOff: HandOff) => void>();
  #processes = 0;

  constructor(random: () => number, subject: Subject) {
    this.#random = random;
    this.#subject = subject;
    this.#adapter = subject.memoryAdapter();
    const level = random() < 0.2 ? 0 : random() * 0.12;
    this.#faults = { before: level, after: level, hang: level / 3, late: level / 3, jumps: random() < 0.2 };
  }

  async play(): Promise<readonly string[]> {
    const workers = 1 + Math.floor(this.#random() * 3);
    for (let n = 0; n < workers; n += 1) this.#startWorker();
    void this.#produce(3 + Math.floor(this.#random() * 8));
    this.#world.after(calmAt, () => this.#startWorker());
    const done = (): boolean =>
      this.#model.violations.length > 0 || (this.#world.time() > calmAt && this.#model.open().length === 0);
    const ended = await this.#world.run(done, deadline);
    if (this.#model.violations.length > 0) return this.#model.violations;
    return ended ? [] : [`never ended: ${this.#model.open().join(' ')}`];
  }

  #chance(share: number): boolean {
    return this.#world.time() < calmAt && this.#random() < share;
  }

  #queueFor(process: Process): TypedQueue {
    const options = { maxAttempts: 4, backoff: () => Math.floor(this.#random() * 300) };
    return this.#subject.createQueue({
      adapter: this.#networkTo(process),
      clock: process.clock,
      random: this.#random,
      jobs: [
        this.#subject.defineJob('work', anything, options),
        this.#subject.defineJob('watched', anything, { ...options, visibility: 900 }),
      ],
    });
  }

  #spawn(): Process {
    this.#processes += 1;
    return this.#world.spawn(`p${this.#processes}`);
  }

  async #produce(count: number): Promise<void> {
    const process = this.#spawn();
    const queue = this.#queueFor(process);
    await this.#limit(process);
    for (let n = 0; n < count; n += 1) {
      const options = {
        tenant: `t${Math.floor(this.#random() * 3)}`,
        priority: Math.floor(this.#random() * 2),
        ...(this.#random() < 0.2 && { delay: Math.floor(this.#random() * 1_500) }),
      };
      const name = this.#random() < 0.2 ? 'watched' : 'work';
      const send = this.#random() < 0.12 ? queue.enqueueFlow(familyOf(n, options)) : queue.enqueue(name, n, options);
      // What the store has not confirmed, nobody was promised; the model takes what the store accepted.
      await send.catch(() => undefined);
      await new Promise<void>((resolve) => void process.clock.setTimeout(resolve, this.#random() * 200));
    }
  }

  async #limit(process: Process): Promise<void> {
    if (this.#random() < 0.5) return;
    const cap = 1 + Math.floor(this.#random() * 2);
    const storage = await this.#adapter.open(this.#contextOf(process));
    await storage.control('limitTenant', { tenant: 't0', limits: { maxLeased: cap } });
    this.#model.capped('t0', cap);
  }

  #contextOf(process: Process): AdapterContext {
    return { queue: 'default', clock: process.clock, random: this.#random };
  }

  #startWorker(): void {
    const process = this.#spawn();
    const queue = this.#queueFor(process);
    const handler = (job: { readonly id: string }, ctx: HandlerContext): Promise<unknown> =>
      this.#handle(process, job.id, ctx);
    const concurrency = 1 + Math.floor(this.#random() * 3);
    const worker = queue.work(
      { work: handler, watched: handler },
      { lease, pollInterval: 700, concurrency, callTimeout: 500, prefetch: Math.floor(this.#random() * 3) },
    );
    if (this.#world.time() < calmAt) this.#planTrouble(process, () => void worker.drain({ timeout: 200 }));
  }

  /** The process is killed, paused or cut off (perhaps longer than its lease), drained, or left alone; a killed one is replaced. */
  #planTrouble(process: Process, drain: () => void): void {
    const kind = this.#random();
    const at = this.#random() * (calmAt - 500);
    this.#world.after(at, () => {
      if (kind < 0.3) {
        process.alive = false;
        this.#startWorker();
      } else if (kind < 0.6) {
        process.pausedUntil = this.#world.time() + this.#random() * 2 * lease;
      } else if (kind < 0.75) {
        drain();
        this.#startWorker();
      } else if (kind < 0.9) {
        process.cutUntil = this.#world.time() + this.#random() * 2 * lease;
      }
      if (this.#faults.jumps) this.#world.jump((this.#random() - 0.5) * 2 * lease);
    });
  }

  async #handle(process: Process, id: string, ctx: HandlerContext): Promise<unknown> {
    const running = this.#running.get(id) ?? new Set<Running>();
    this.#running.set(id, running);
    this.#checkAlone(id, running);
    const mine: Running = { process, ctx };
    running.add(mine);
    try {
      await new Promise<void>((resolve, reject) => {
        ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
        process.clock.setTimeout(resolve, this.#random() * (this.#random() < 0.2 ? 2_000 : 200));
      });
      if (this.#random() < 0.15) throw new Error('the handler failed');
      if (this.#random() < 0.05) ctx.snooze(Math.floor(this.#random() * 500));
      return undefined;
    } finally {
      running.delete(mine);
    }
  }

  /** Whoever still runs the job elsewhere, awake, must know that its lease is over. Store clocks that jump take leases away early: no promise then. */
  #checkAlone(id: string, running: ReadonlySet<Running>): void {
    if (this.#faults.jumps) return;
    for (const { process, ctx } of running) {
      const awake = process.alive && process.pausedUntil <= this.#world.time();
      if (awake && !ctx.signal.aborted) {
        this.#model.violations.push(`${id} runs twice, and ${process.name} with fence ${ctx.fence} has not been told`);
      }
    }
  }

  /** The store as a process sees it: over a network that delays, loses and repeats. */
  #networkTo(process: Process): QueueAdapter {
    const open = async (context: AdapterContext): Promise<QueueStorage> => {
      const storage = await this.#adapter.open(context);
      return {
        ...storage,
        exchangesAtOnce: 1 + Math.floor(this.#random() * 2),
        enqueue: (request) =>
          this.#call(process, async () => {
            const answers = await storage.enqueue(request);
            this.#model.enqueued(request.jobs, answers);
            await this.#handOff(storage);
            return answers;
          }),
        exchange: (request) =>
          this.#call(process, async () => {
            this.#offers.delete(request.session);
            const answer = await storage.exchange(request);
            this.#model.exchanged(request, answer);
            this.#noteOffer(process, request, answer);
            return answer;
          }),
        control: (operation, input) => this.#call(process, () => storage.control(operation, input)),
        handOffs: (session, listener) => {
          this.#receivers.set(session, listener);
          return () => void this.#receivers.delete(session);
        },
        // Hints may be lost: here all of them are.
        watch: () => () => undefined,
      };
    };
    return { ...this.#adapter, open };
  }

  #noteOffer(
    { clock }: Process,
    { session, offer, claim, lease: time }: ExchangeRequest,
    answer: ExchangeAnswer,
  ): void {
    if (offer === undefined || answer.session === 'lost' || answer.claimed.length >= claim) return;
    const until = this.#world.time() + offer.within;
    this.#offers.set(session, { call: offer.call, most: claim - answer.claimed.length, until, lease: time, clock });
  }

  /** The memory adapter hands nothing over: a claim in the name of the session that offered, and a message that may be late, or lost. */
  async #handOff(storage: QueueStorage): Promise<void> {
    const [first] = this.#offers;
    if (first === undefined) return;
    const [session, { call, most, until, lease: time, clock }] = first;
    this.#offers.delete(session);
    if (until < this.#world.time()) return;
    const request: ExchangeRequest = {
      ...{ session, begin: false, lease: time, call, lostCalls: [], claim: most, settle: [], extend: [], progress: [] },
      ...{ housekeeping: 0, end: false },
    };
    const answer = await storage.exchange(request);
    this.#model.exchanged(request, answer);
    if (answer.claimed.length === 0 || this.#chance(0.3)) return;
    const late = this.#chance(0.3) ? 500 : 0;
    const handOff = { call, now: answer.now, jobs: answer.claimed };
    clock.setTimeout(() => this.#receivers.get(session)?.(handOff), late + this.#random() * 15);
  }

  #call<T>(process: Process, effect: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (deliver: () => void): void => void process.clock.setTimeout(deliver, this.#random() * 15);
      const fail = (text: string): void => answer(() => reject(new Error(text)));
      const late = this.#chance(this.#faults.late) ? 1_000 : 0;
      this.#world.after(late + this.#random() * 15, () => {
        // Nothing gets through, in either direction, and nobody says so.
        if (process.cutUntil > this.#world.time()) return undefined;
        if (this.#chance(this.#faults.before)) return fail('connection refused');
        const hangs = this.#chance(this.#faults.hang);
        const lost = this.#chance(this.#faults.after);
        effect().then(
          (value) => {
            if (lost) fail('connection reset');
            else if (!hangs && process.cutUntil <= this.#world.time()) answer(() => resolve(value));
          },
          (error: unknown) => answer(() => reject(error as Error)),
        );
        return undefined;
      });
    });
  }
}

function familyOf(n: number, options: { readonly tenant: string; readonly priority: number }) {
  const child = { name: 'work' as const, payload: n, ...options, onFailure: 'ignore' as const };
  return { name: 'work' as const, payload: n, ...options, children: [child, child] };
}
