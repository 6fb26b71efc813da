import type { ClaimedJob, ExchangeAnswer, ExchangeRequest, FencedOutcome } from '../../../contract/index.ts';
import { byShard, inOrder, shardOfFence } from './place.ts';

/** The fenced writes of a request. */
type Writes = Pick<ExchangeRequest, 'settle' | 'extend' | 'progress'>;

/** A call that only claims. */
export const noParts: Writes = { settle: [], extend: [], progress: [] };

/** Each shard's part of the fenced writes: a lease is where its fence says. */
export function partsOf({ settle, extend, progress }: Writes, shards: number): Writes[] {
  const place = ({ fence }: { readonly fence: number }): number => shardOfFence(fence, shards);
  const [settles, extends_, notes] = [
    byShard(settle, shards, place),
    byShard(extend, shards, place),
    byShard(progress, shards, place),
  ];
  return Array.from({ length: shards }, (_, shard) => ({
    settle: settles[shard] ?? [],
    extend: extends_[shard] ?? [],
    progress: notes[shard] ?? [],
  }));
}

type Answers = readonly (ExchangeAnswer | undefined)[];

/** The answer of all shards together. A shard that did not answer has nothing to say. */
export function mergeAnswers(
  request: ExchangeRequest,
  answers: Answers,
  claimed: readonly ClaimedJob[],
  more: boolean,
): ExchangeAnswer {
  const known = answers.filter((answer) => answer !== undefined);
  const dues = known.flatMap(({ nextDue }) => nextDue ?? []);
  return {
    ...mergeOutcomes(request, answers),
    now: Math.max(...known.map(({ now }) => now)),
    session: 'open',
    claimed,
    cancelRequests: known.flatMap(({ cancelRequests }) => cancelRequests),
    ...(dues.length > 0 && { nextDue: Math.min(...dues) }),
    more,
    dueSchedules: [...new Set(known.flatMap(({ dueSchedules }) => dueSchedules))],
    swept: mergeSwept(known),
  };
}

/** The answer for a session that is over. */
export function lostAnswer(request: ExchangeRequest, answers: Answers): ExchangeAnswer {
  const known = answers.filter((answer) => answer !== undefined);
  const stale = (entries: readonly unknown[]): FencedOutcome[] => entries.map(() => 'stale');
  return {
    now: Math.max(...known.map(({ now }) => now)),
    session: 'lost',
    settled: stale(request.settle),
    extended: stale(request.extend),
    progressed: stale(request.progress),
    claimed: [],
    cancelRequests: [],
    more: false,
    dueSchedules: [],
    swept: mergeSwept(known),
  };
}

function mergeOutcomes(request: Writes, answers: Answers): Pick<ExchangeAnswer, 'settled' | 'extended' | 'progressed'> {
  const place = ({ fence }: { readonly fence: number }): number => shardOfFence(fence, answers.length);
  return {
    settled: inOrder(
      request.settle,
      place,
      answers.map((answer) => answer?.settled ?? []),
    ),
    extended: inOrder(
      request.extend,
      place,
      answers.map((answer) => answer?.extended ?? []),
    ),
    progressed: inOrder(
      request.progress,
      place,
      answers.map((answer) => answer?.progressed ?? []),
    ),
  };
}

function mergeSwept(answers: readonly ExchangeAnswer[]): ExchangeAnswer['swept'] {
  const sum = (field: 'promoted' | 'forgotten'): number =>
    answers.reduce((total, { swept }) => total + swept[field], 0);
  return {
    promoted: sum('promoted'),
    forgotten: sum('forgotten'),
    expired: answers.flatMap(({ swept }) => swept.expired),
  };
}

/** Jobs of several shards in one order: the order of each shard stays, and of the first of each the highest priority, then the oldest, goes first. */
export function mergeClaims(claimed: readonly (readonly ClaimedJob[])[]): ClaimedJob[] {
  const rows = claimed.filter((row) => row.length > 0);
  if (rows.length < 2) return [...(rows[0] ?? [])];
  const next = rows.map(() => 0);
  const merged: ClaimedJob[] = [];
  for (let left = rows.reduce((sum, row) => sum + row.length, 0); left > 0; left -= 1) {
    let best = -1;
    for (const [index, row] of rows.entries()) {
      const job = row[next[index] ?? 0];
      const other = best < 0 ? undefined : rows[best]?.[next[best] ?? 0];
      if (job !== undefined && (other === undefined || goesFirst(job, other))) best = index;
    }
    merged.push(rows[best]?.[next[best] ?? 0] as ClaimedJob);
    next[best] = (next[best] ?? 0) + 1;
  }
  return merged;
}

function goesFirst(one: ClaimedJob, other: ClaimedJob): boolean {
  if (one.priority !== other.priority) return one.priority > other.priority;
  return one.enqueuedAt < other.enqueuedAt;
}
