/** What an exchange says of its shard; see lua/shards.ts. */
export interface ShardView {
  /** Priority class whose turn it is; undefined: nothing may run. */
  readonly class: number | undefined;
  /** The least has its turn first, over all shards. */
  readonly score: number;
  /** Virtual time of the tenant whose turn it is. */
  readonly vtime: number;
  /** Tenants with jobs that may run, in that class. */
  readonly tenants: number;
  readonly ready: number;
  readonly leased: number;
  /** Why the queue's limits let nothing more start here. */
  readonly hold: '' | 'queue-paused' | 'queue-concurrency' | 'queue-rate';
  /** Starts that the rate of the queue allows here now. */
  readonly tokens: number;
  /** The shard has no valid share of the queue's limits. */
  readonly isStale: boolean;
  /** Leases of this session. */
  readonly held: number;
  /** Without ready jobs at some time since it was last served. */
  readonly rested: boolean;
  /** Virtual time that it has come to. */
  readonly clock: number;
  /** Bound on the leases of the whole queue. */
  readonly maxLeased: number;
  /** Of the settings that the shard obeys. */
  readonly settingsVersion: number;
}

/** Reads the text that the script answers. */
export function readView(text: string): ShardView {
  const [priority, score, vtime, tenants, ready, leased, hold, tokens, stale, held, rested, clock, maxLeased, version] =
    text.split(',');
  return {
    class: priority === '' ? undefined : Number(priority),
    score: Number(score),
    vtime: Number(vtime),
    tenants: Number(tenants),
    ready: Number(ready),
    leased: Number(leased),
    hold: hold as ShardView['hold'],
    tokens: Number(tokens),
    isStale: stale === '1',
    held: Number(held),
    rested: rested === '1',
    clock: Number(clock),
    maxLeased: maxLeased === '-1' ? Number.POSITIVE_INFINITY : Number(maxLeased),
    settingsVersion: Number(version),
  };
}

/** Whether the shard has jobs that may be claimed now. */
export function mayServe(view: ShardView | undefined): view is ShardView & { readonly class: number } {
  return view?.class !== undefined && view.hold === '';
}

/** Virtual time of the whole queue: that of the tenant whose turn it is; with nothing to do, the furthest that a shard has come. */
export function presentTime(views: readonly (ShardView | undefined)[]): number {
  let first = Number.POSITIVE_INFINITY;
  let furthest = 0;
  for (const view of views) {
    if (view === undefined) continue;
    furthest = Math.max(furthest, view.clock);
    if (mayServe(view) && !view.rested) first = Math.min(first, view.vtime);
  }
  return Number.isFinite(first) ? first : furthest;
}
