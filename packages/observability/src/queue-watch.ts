import type { queueMetrics } from './catalogue/queue.ts';
import type { Collectors } from './metrics/collectors.ts';
import type { Instruments } from './metrics/instruments.ts';
import { OTHER } from './metrics/series.ts';

type Metrics = Instruments<typeof queueMetrics>;

/** A queue whose store counts its jobs; `Queue` of `@millrace/queue` is one. */
export interface WatchedQueue {
  readonly name: string;
  readonly inspect: {
    counts(options?: { readonly signal?: AbortSignal }): Promise<{
      readonly ready: number;
      readonly delayed: number;
      readonly leased: number;
      readonly dead: number;
      readonly waitingBytes: number;
      readonly sessions: number;
      readonly paused: boolean;
      readonly oldestReadyAge: number;
    }>;
  };
}

/** Options of {@link Observability.watchQueue}. */
export interface WatchQueueOptions {
  /**
   * Asked before each reading: answer false in all processes but one where many share a store and you want one reader. All
   * processes show the same numbers, so that rules take `max by (queue)` either way.
   */
  readonly isReader?: () => boolean | Promise<boolean>;
}

/** Reads the counters of a queue before each scrape: one call of `counts`, which is no scan. */
export function watchQueue(
  metrics: Metrics,
  collectors: Collectors,
  { name, inspect }: WatchedQueue,
  { isReader }: WatchQueueOptions = {},
): () => void {
  return collectors.add(`queue ${name}`, async (signal) => {
    showTrouble(metrics, name);
    if (isReader !== undefined && !(await isReader())) return;
    const counts = await inspect.counts({ signal });
    metrics.depth.set(counts.ready, name, 'ready');
    metrics.depth.set(counts.delayed, name, 'delayed');
    metrics.depth.set(counts.leased, name, 'leased');
    metrics.depth.set(counts.dead, name, 'dead');
    metrics.oldestAge.set(counts.oldestReadyAge / 1_000, name);
    metrics.waitingBytes.set(counts.waitingBytes, name);
    metrics.sessions.set(counts.sessions, name);
    metrics.paused.set(counts.paused ? 1 : 0, name);
  });
}

/** Counters of what should not happen, shown as 0 until it does; at every scrape, so that they are not forgotten as unused. */
function showTrouble(metrics: Metrics, queue: string): void {
  for (const operation of ['enqueue', 'exchange', 'control', 'heartbeat'] as const)
    metrics.storeErrors.add(0, queue, operation);
  for (const scope of ['queue', 'tenant'] as const) {
    for (const limit of ['count', 'bytes'] as const) metrics.rejected.add(0, queue, scope, limit);
  }
  for (const to of ['ready', 'dead'] as const) metrics.redeliveries.add(0, queue, to);
  for (const reason of ['session', 'visibility', 'deadline-of-lease'] as const) metrics.leaseLost.add(0, queue, reason);
  metrics.tenantRejected.add(0, OTHER);
}
