import { mayServe, presentTime, type ShardView } from './view.ts';

/** What one shard is to lease in a round. */
export interface Portion {
  readonly shard: number;
  readonly claim: number;
  /** Only jobs of this priority class. */
  readonly onlyClass?: number;
  /** Only tenants whose virtual time is not beyond this. */
  readonly horizon?: number;
}

/** How a round is planned. */
export interface PlanOptions {
  /** The figures are those of a while ago, and so much waits that a round need not be exact: the next one puts it right. */
  readonly deep?: boolean;
  /** No round after this: what is there is taken, in whatever order. */
  readonly last?: boolean;
  /** By how much a claimed job has moved each shard's virtual time, where that has been seen. */
  readonly steps?: readonly (number | undefined)[];
}

interface Candidate {
  readonly shard: number;
  readonly view: ShardView;
  readonly step: number;
  vtime: number;
  picks: number;
}

/**
 * Deals out `want` jobs over the shards, so that the order of the contract holds over all of them: the class whose turn it is goes first, and inside it the shard whose
 * tenant is furthest behind. The store knows weights and costs, this process does not: half of the jobs are claimed up to a common
 * virtual time, and what that shows is used in the next round.
 */
export function planRound(views: readonly (ShardView | undefined)[], want: number, options: PlanOptions): Portion[] {
  const present = presentTime(views);
  const live = views.flatMap((view, shard) => (mayServe(view) ? [candidate(view, shard, present, options)] : []));
  if (live.length === 0 || want === 0) return [];
  const waiting = live.reduce((sum, { view }) => sum + view.ready, 0);
  if (waiting <= want) return live.map(({ shard, view }) => ({ shard, claim: view.ready }));
  const [turn] = [...live].sort((a, b) => a.view.score - b.view.score) as [Candidate];
  const onlyClass = turn.view.class as number;
  const isOverdue = live.some(({ view }) => (view.class as number) > onlyClass);
  if (isOverdue && options.last !== true) return [{ shard: turn.shard, claim: 1, onlyClass }];
  const row = options.last === true ? live : live.filter(({ view }) => view.class === onlyClass);
  if (options.last === true || options.deep === true)
    return exactly(pick(row, want).row, options.last ? {} : { onlyClass });
  const { row: picked, horizon } = pick(row, Math.ceil(want / 2));
  const most = Math.floor(want / picked.length);
  return picked.map(({ shard, view }) => ({ shard, claim: Math.min(most, view.ready), onlyClass, horizon }));
}

function candidate(view: ShardView, shard: number, present: number, { steps }: PlanOptions): Candidate {
  const step = steps?.[shard] ?? 1 / Math.max(1, view.tenants);
  return { shard, view, step, vtime: view.rested ? present : view.vtime, picks: 0 };
}

function exactly(row: readonly Candidate[], rest: { readonly onlyClass?: number }): Portion[] {
  return row.map(({ shard, picks }) => ({ shard, claim: picks, ...rest }));
}

/** Gives each of `want` jobs to the shard that is furthest behind then. */
function pick(row: readonly Candidate[], want: number): { readonly row: Candidate[]; readonly horizon: number } {
  let horizon = Number.NEGATIVE_INFINITY;
  for (let picked = 0; picked < want; picked += 1) {
    let first: Candidate | undefined;
    for (const one of row) {
      if (one.picks < one.view.ready && (first === undefined || one.vtime < first.vtime)) first = one;
    }
    if (first === undefined) break;
    horizon = Math.max(horizon, first.vtime);
    first.vtime += first.step;
    first.picks += 1;
  }
  return { row: row.filter(({ picks }) => picks > 0), horizon };
}
