import { statfs } from 'node:fs/promises';
import {
  constants,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks';
import type { processMetrics } from './catalogue/process.ts';
import type { Clock } from './clock.ts';
import { collectBackup, collectReplicas, type Queryable } from './copies.ts';
import type { Collectors } from './metrics/collectors.ts';
import type { Instruments } from './metrics/instruments.ts';

/** A connection pool, by the counters that pg's `Pool` shows. */
export interface PoolCounters {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** What is watched of this process. Each `watch…` answers the function that ends it. */
export interface ProcessWatch {
  /** Shows connections and waiting callers of a pool. */
  watchPool(name: string, pool: PoolCounters): () => void;
  /** Shows size and free space of the volume that holds `path`. */
  watchDisk(volume: string, path: string): () => void;
  /**
   * Shows how far each replica of a PostgreSQL primary is behind. Seconds and names come from `pg_stat_replication`, for which a role that is
   * no superuser needs `pg_monitor`; a replica is named by the `application_name` of its connection.
   */
  watchReplicas(primary: Queryable): () => void;
  /** Shows the age of a backup: of the file that your backup writes or touches once the backup has been verified. */
  watchBackup(what: string, marker: string): () => void;
  /** Longest delay of the event loop since the last scrape, in milliseconds. */
  eventLoopLag(): number;
}

type Metrics = Instruments<typeof processMetrics>;

/** Milliseconds between the samples of the event loop's delay; its own timer is not counted as delay. */
const resolution = 10;
const nanoseconds = 1e9;

const gcKinds = new Map<number, 'minor' | 'major' | 'incremental' | 'weakcb'>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]);

/** Watches event loop, garbage collector and memory until `stop`. */
export function watchProcess(
  metrics: Metrics,
  collectors: Collectors,
  clock: Clock,
): ProcessWatch & { readonly stop: () => void } {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let use = performance.eventLoopUtilization();
  const gc = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) observeGc(metrics, entry);
  });
  gc.observe({ entryTypes: ['gc'] });
  const lagOf = (ns: number): number => Math.max(0, ns / nanoseconds - resolution / 1_000);

  const removeProcess = collectors.add('process', () => {
    metrics.eventLoopLag.set(lagOf(delay.percentile(50)), 'p50');
    metrics.eventLoopLag.set(lagOf(delay.percentile(99)), 'p99');
    metrics.eventLoopLag.set(lagOf(delay.max), 'max');
    delay.reset();
    const before = use;
    use = performance.eventLoopUtilization();
    metrics.eventLoopUse.set(performance.eventLoopUtilization(use, before).utilization);
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    metrics.memory.set(rss, 'rss');
    metrics.memory.set(heapUsed, 'heap_used');
    metrics.memory.set(heapTotal, 'heap_total');
    metrics.memory.set(external, 'external');
  });

  return {
    eventLoopLag: () => lagOf(delay.max) * 1_000,
    watchPool: (name, pool) => collectors.add(`pool ${name}`, () => showPool(metrics, name, pool)),
    watchDisk: (volume, path) => collectors.add(`disk ${volume}`, () => showDisk(metrics, volume, path)),
    watchReplicas: (primary) => collectors.add('replicas', collectReplicas(metrics, clock, primary)),
    watchBackup: (what, marker) => collectors.add(`backup ${what}`, collectBackup(metrics, clock, what, marker)),
    stop: () => {
      removeProcess();
      delay.disable();
      gc.disconnect();
    },
  };
}

/** Node's types leave out `detail`, which a GC entry has since Node 16. */
type GcEntry = PerformanceEntry & { readonly detail?: { readonly kind: number } };

function observeGc(metrics: Metrics, { duration, detail }: GcEntry): void {
  const kind = gcKinds.get(detail?.kind ?? 0);
  if (kind !== undefined) metrics.gc.observe(duration / 1_000, kind);
}

function showPool(metrics: Metrics, name: string, { totalCount, idleCount, waitingCount }: PoolCounters): void {
  metrics.poolConnections.set(idleCount, name, 'idle');
  metrics.poolConnections.set(totalCount - idleCount, name, 'busy');
  metrics.poolWaiting.set(waitingCount, name);
}

async function showDisk(metrics: Metrics, volume: string, path: string): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(path);
  metrics.diskFree.set(bavail * bsize, volume);
  metrics.diskSize.set(blocks * bsize, volume);
}
