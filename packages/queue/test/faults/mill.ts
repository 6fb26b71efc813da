import { waitFor } from '@millrace/test-support';
import { z } from 'zod';
import {
  type Clock,
  createQueue,
  defineJob,
  type HandlerContext,
  type Job,
  type JobDefinition,
  type Queue,
  type QueueAdapter,
  StoreUnavailableError,
  type Worker,
} from '../../src/index.ts';

const work: JobDefinition<'work', z.ZodObject<{ n: z.ZodNumber }>> = defineJob('work', z.object({ n: z.number() }), {
  maxAttempts: 20,
  backoff: () => 20,
});

/** Leases in fault tests, in milliseconds: short, so that takeovers are seen soon. */
export const lease = 1_500;

/** What happened to the jobs of one fault test. */
export interface Ledger {
  /** Runs that came to their end, per job. */
  readonly runs: Map<string, number>;
  /** Acks that the store accepted, per job: never more than one. */
  readonly acks: Map<string, number>;
  /** Acks that the store refused. */
  stale: number;
  /** Effects that a guard by fence let through in the wrong order: never any. */
  staleEffects: number;
  /** Calls to enqueue whose answer did not come. */
  unanswered: number;
}

/** A queue in one process of the test, which notes what happens. */
export interface Mill extends AsyncDisposable {
  readonly queue: Queue<readonly [typeof work]>;
  readonly ledger: Ledger;
  /**
   * Enqueues until the store has answered, as a careful producer does: the same id again after an error.
   * The jobs belong to `tenants` tenants in turn; without them to none.
   */
  enqueueAll(count: number, prefix?: string, tenants?: number): Promise<readonly string[]>;
  startWorker(options?: {
    readonly concurrency?: number;
    readonly handler?: (job: Job<{ n: number }>, ctx: HandlerContext) => Promise<void>;
  }): Worker;
  /** Waits until each of these jobs was acked, and checks that none was acked twice. */
  untilDone(ids: readonly string[], timeout?: number): Promise<void>;
}

/** Opens a queue on a URL, or on an adapter, which it then closes. */
export function openMill(target: string | QueueAdapter, clock?: Clock): Mill {
  const adapter = typeof target === 'string' ? undefined : target;
  const ledger: Ledger = { runs: new Map(), acks: new Map(), stale: 0, staleEffects: 0, unanswered: 0 };
  const fences = new Map<string, number>();
  const queue = createQueue({
    ...(adapter === undefined ? { url: target as string } : { adapter }),
    jobs: [work],
    ...(clock !== undefined && { clock }),
    instrumentation: {
      onStoreError: ({ operation }) => {
        if (operation === 'enqueue') ledger.unanswered += 1;
      },
      onSettled: ({ jobs }) => {
        for (const { id, kind, outcome } of jobs) {
          if (outcome === 'stale') ledger.stale += 1;
          else if (kind === 'ack') add(ledger.acks, id);
        }
      },
    },
  });

  function effect(ctx: HandlerContext): void {
    if ((fences.get(ctx.jobId) ?? 0) >= ctx.fence) ledger.staleEffects += 1;
    fences.set(ctx.jobId, ctx.fence);
    add(ledger.runs, ctx.jobId);
  }

  async function enqueueOne(id: string, n: number, tenant: object): Promise<string> {
    for (;;) {
      try {
        return (await queue.enqueue('work', { n }, { id, ...tenant })).id;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  return {
    queue,
    ledger,
    enqueueAll: (count, prefix = 'job', tenants = 0) => {
      const tenantOf = (n: number): object => (tenants > 0 ? { tenant: `tenant-${n % tenants}` } : {});
      return Promise.all(Array.from({ length: count }, (_, n) => enqueueOne(`${prefix}-${n}`, n, tenantOf(n))));
    },
    startWorker: ({ concurrency = 20, handler } = {}) =>
      queue.work(
        {
          work: async (job, ctx) => {
            await handler?.(job, ctx);
            effect(ctx);
          },
        },
        { concurrency, lease, pollInterval: 100, callTimeout: 700 },
      ),
    untilDone: async (ids, timeout = 20_000) => {
      await waitFor(
        async () => {
          const { ready, delayed, leased } = await queue.inspect.counts();
          return ready + delayed + leased === 0 && ids.every((id) => ledger.runs.has(id));
        },
        { timeout, what: 'every accepted job to be done' },
      );
    },
    [Symbol.asyncDispose]: async () => {
      await queue.close();
      await adapter?.close();
    },
  };
}

function add(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}
