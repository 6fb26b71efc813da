import type { EnqueueAnswer, NewJob } from '../../../contract/index.ts';
import type { Need, Shares } from './shares.ts';

/** How often refused jobs are tried again after the marks were divided anew, while it seems that there is room. */
export const tries = 8;

/** Refused because the shard's share of the queue's marks is used up: another shard may have some left. */
export function isOverMark(answer: EnqueueAnswer): boolean {
  return answer.status === 'rejected' && answer.reason.scope === 'queue' && answer.reason.limit !== 'store';
}

/** Answers whether it is worth trying again. */
export async function makeRoom(
  shares: Shares,
  jobs: readonly NewJob[],
  placeOf: (job: NewJob) => number,
  atomic: boolean,
): Promise<boolean> {
  const needs = new Map<number, Need>();
  for (const job of jobs) {
    const { jobs: count, bytes } = needs.get(placeOf(job)) ?? { jobs: 0, bytes: 0 };
    needs.set(placeOf(job), { jobs: count + 1, bytes: bytes + job.bytes });
  }
  const free = await shares.divide(needs);
  if (free === undefined) return false;
  const bytes = jobs.map((job) => job.bytes);
  return atomic
    ? free.jobs >= jobs.length && free.bytes >= bytes.reduce((sum, more) => sum + more, 0)
    : free.jobs >= 1 && free.bytes >= Math.min(...bytes);
}
