import type { EnqueueAnswer, NewJob } from '../../../contract/index.ts';
import type { Need, Shares } from './shares.ts';

/** How often refused jobs are tried again after the marks were divided anew, while it seems that there is room. */
const tries = 8;

/** How jobs go to their shards. */
export interface Sending {
  readonly shares: Shares;
  readonly placeOf: (job: NewJob) => number;
  /** All or none of them: they are refused together. */
  readonly atomic: boolean;
  /** Answers in the order of the jobs, or none when these jobs are not to be stored any more. */
  readonly send: (jobs: readonly NewJob[]) => Promise<readonly EnqueueAnswer[]>;
}

/** Sends jobs, and those again for which a shard's share of the queue's marks was too small. */
export async function sendWithRoom(jobs: readonly NewJob[], sending: Sending): Promise<readonly EnqueueAnswer[]> {
  let answers = await sending.send(jobs);
  for (let left = tries; left > 0; left -= 1) {
    const refused = answers.flatMap((answer, index) => (isOverMark(answer) ? [index] : []));
    if (refused.length === 0) break;
    const again = refused.map((index) => jobs[index] as NewJob);
    if (!(await makeRoom(again, sending))) break;
    const second = await sending.send(again);
    if (second.length === 0) return second;
    answers = answers.map((answer, index) => second[refused.indexOf(index)] ?? answer);
  }
  return answers;
}

/** Refused because the shard's share of the queue's marks is used up: another shard may have some left. */
function isOverMark(answer: EnqueueAnswer): boolean {
  return answer.status === 'rejected' && answer.reason.scope === 'queue' && answer.reason.limit !== 'store';
}

/** Answers whether it is worth trying again. */
async function makeRoom(jobs: readonly NewJob[], { shares, placeOf, atomic }: Sending): Promise<boolean> {
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
