import type { EnqueueAnswer, NewJob } from '../../contract/index.ts';
import type { FullReason } from '../../errors.ts';
import { encodeRest } from './body.ts';
import type { Argument } from './client.ts';

/** Most jobs in one script: about 2 ms of Redis. A request marked atomic is never cut. */
export const enqueueChunk = 500;

/** What a script needs to know besides body and place. */
function specialOf(job: NewJob): string {
  const { dedupe, children, delay } = job;
  return dedupe === undefined && children === 0 && delay === 0 ? '' : JSON.stringify({ ...dedupe, children, delay });
}

/** Arguments of the enqueue script; see lua/enqueue.ts. */
export function enqueueArguments(jobs: readonly NewJob[], atomic: boolean, scheduleMove = ''): Argument[] {
  let text = '';
  for (const job of jobs) {
    const length = Buffer.byteLength(job.payload);
    text += `${job.id}\n${length} ${specialOf(job)}\n${encodeRest(job, length)}`;
  }
  return [atomic ? 1 : 0, scheduleMove, text];
}

type Reply =
  | 1
  | readonly (1 | readonly [string, number] | readonly [FullReason['scope'], FullReason['limit'], number])[];

/** The script's answer, in the order of the jobs. */
export function enqueueAnswers(jobs: readonly NewJob[], reply: unknown): EnqueueAnswer[] {
  const answers = reply as Reply;
  return jobs.map(({ id }, index) => {
    const answer = answers === 1 ? 1 : (answers[index] ?? 1);
    if (answer === 1) return { status: 'accepted', id };
    if (answer.length === 2) return { status: 'duplicate', id: answer[0], replaced: answer[1] === 1 };
    return { status: 'rejected', reason: { scope: answer[0], limit: answer[1] }, retryAfter: answer[2] };
  });
}

/** Redis has no room: nothing was stored. */
export function enqueueRefused(jobs: readonly NewJob[], retryAfter: number): EnqueueAnswer[] {
  return jobs.map(() => ({ status: 'rejected', reason: { scope: 'queue', limit: 'store' }, retryAfter }));
}
