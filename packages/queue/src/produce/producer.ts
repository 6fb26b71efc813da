import { gather } from '../awaitable.ts';
import type { EnqueueAnswer, NewJob } from '../contract/index.ts';
import { InvalidOptionError, QueueFullError } from '../errors.ts';
import { type QueueInstrumentation, wraps } from '../instrumentation.ts';
import type { Jobs } from '../job.ts';
import type { CallOptions, Enqueued, EnqueueHandle, EnqueueItem, EnqueueOptions, Flow, Rejected } from '../queue.ts';
import type { AloneOptions, Batcher } from './batcher.ts';
import { type FlowPlace, type JobMaker, makeJob } from './new-job.ts';

/** The enqueue side of a queue. */
export interface Producer {
  tryEnqueue(name: string, payload: unknown, options?: EnqueueOptions): Promise<Enqueued | Rejected>;
  enqueueMany(
    items: readonly EnqueueItem<Jobs>[],
    options?: CallOptions & { readonly tx?: unknown },
  ): Promise<readonly (Enqueued | Rejected)[]>;
  enqueueFlow(flow: Flow<Jobs>, options?: CallOptions & { readonly tx?: unknown }): Promise<EnqueueHandle>;
}

/** What a producer works with. */
export interface ProducerParts {
  readonly queue: string;
  readonly maker: JobMaker;
  readonly batcher: Batcher;
  readonly instrumentation: QueueInstrumentation | undefined;
  readonly waitForResult: (jobId: string, options?: CallOptions) => Promise<unknown>;
}

/** Creates a {@link Producer}. */
export function createProducer(parts: ProducerParts): Producer {
  const { queue, maker, batcher } = parts;

  function toHandle(id: string): EnqueueHandle {
    return { id, result: (options) => parts.waitForResult(id, options) };
  }

  function toAnswer(answer: EnqueueAnswer, tenant: string): Enqueued | Rejected {
    if (answer.status === 'rejected') {
      const error = new QueueFullError(queue, tenant, answer.reason, answer.retryAfter);
      return { status: 'rejected', retryAfter: answer.retryAfter, error };
    }
    const { id } = answer;
    // Written out: this happens to every job.
    const result: EnqueueHandle['result'] = (options) => parts.waitForResult(id, options);
    if (answer.status === 'accepted') return { id, result, status: 'accepted' };
    return { id, result, status: 'duplicate', replaced: answer.replaced };
  }

  function store(jobs: readonly NewJob[], alone?: AloneOptions): Promise<readonly EnqueueAnswer[]> {
    return alone === undefined ? batcher.send(jobs) : batcher.sendAlone(jobs, alone);
  }

  function wrapped(
    hooks: Required<Pick<QueueInstrumentation, 'aroundEnqueue'>>,
    jobs: readonly NewJob[],
    alone: AloneOptions | undefined,
  ): Promise<readonly EnqueueAnswer[]> {
    const traceparent = jobs[0]?.traceparent;
    const info = {
      queue,
      // Made when somebody looks: most only measure the call.
      get jobs() {
        return jobs.map(({ id, name, tenant }) => ({ id, name, tenant }));
      },
    };
    return hooks.aroundEnqueue(traceparent === undefined ? info : Object.assign(info, { traceparent }), (carrier) =>
      store(carrier?.traceparent === undefined ? jobs : jobs.map((job) => ({ ...job, ...carrier })), alone),
    );
  }

  /** Lets instrumentation wrap the call and replace the traceparent that travels with the jobs. */
  function around(jobs: readonly NewJob[], alone?: AloneOptions): Promise<readonly EnqueueAnswer[]> {
    const { instrumentation } = parts;
    return !wraps(instrumentation, 'aroundEnqueue') ? store(jobs, alone) : wrapped(instrumentation, jobs, alone);
  }

  async function send(jobs: readonly NewJob[], transaction?: unknown): Promise<(Enqueued | Rejected)[]> {
    const answers = await around(jobs, aloneIn(transaction));
    return answers.map((answer, index) => toAnswer(answer, jobs[index]?.tenant ?? ''));
  }

  return {
    tryEnqueue: async (name, payload, options) => {
      // Waiting for what is there already, and a function more that waits, would cost each job as much as storing it.
      const made = makeJob(maker, name, payload, options);
      const job = made instanceof Promise ? await made : made;
      options?.signal?.throwIfAborted();
      const [answer] = await around([job], aloneIn(options?.tx));
      return toAnswer(answer as EnqueueAnswer, job.tenant);
    },
    enqueueMany: async (items, options) => {
      const jobs = await gather(items, (item) => makeJob(maker, item.name, item.payload, item));
      options?.signal?.throwIfAborted();
      return send(jobs, options?.tx);
    },
    enqueueFlow: async (flow, options) => {
      const jobs = await flattenFlow(maker, flow);
      options?.signal?.throwIfAborted();
      const transaction = options?.tx === undefined ? {} : { transaction: options.tx };
      const [answer] = await around(jobs, { atomic: true, ...transaction });
      const root = toAnswer(answer as EnqueueAnswer, jobs[0]?.tenant ?? '');
      if (root.status === 'rejected') throw root.error;
      return toHandle(root.id);
    },
  };
}

/** Jobs that join a transaction do not travel with others. */
function aloneIn(transaction: unknown): AloneOptions | undefined {
  return transaction === undefined ? undefined : { transaction };
}

/** Parents before their children, as the contract of the adapters wants it. */
async function flattenFlow(maker: JobMaker, flow: Flow<Jobs>, place?: Omit<FlowPlace, 'children'>): Promise<NewJob[]> {
  const { name, payload, children = [], ...options } = flow;
  if (options.dedupe !== undefined) {
    throw new InvalidOptionError(
      'A job of a flow cannot have `dedupe`: a parent would wait for a child that was never stored.',
    );
  }
  const job = await makeJob(maker, name, payload, options, { ...place, children: children.length });
  const jobs = [job];
  for (const child of children) {
    const { onFailure = 'fail-parent', ...rest } = child;
    jobs.push(...(await flattenFlow(maker, rest as Flow<Jobs>, { parentId: job.id, onFailure })));
  }
  return jobs;
}
