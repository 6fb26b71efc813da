import type { queueMetrics } from './catalogue/queue.ts';
import type { Collectors } from './metrics/collectors.ts';
import type { Instruments } from './metrics/instruments.ts';

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
  metrics: Instruments<typeof queueMetrics>,
  collectors: Collectors,
  { name, inspect }: WatchedQueue,
  { isReader }: WatchQueueOptions = {},
): () => void {
  return collectors.add(`queue ${name}`, async (signal) => {
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
