import type { EnqueueAnswer, NewJob } from '../../contract/index.ts';
import type { FullReason } from '../../errors.ts';
import { encodeFront, escapeField } from './body.ts';
import type { Argument } from './client.ts';

/** Most jobs in one script: about 2 ms of Redis. A request marked atomic is never cut. */
export const enqueueChunk = 500;

/** What a script needs to know besides body and place. */
function specialOf(job: NewJob): string {
  const { dedupe, children, delay } = job;
  return dedupe === undefined && children === 0 && delay === 0 ? '' : JSON.stringify({ ...dedupe, children, delay });
}

/** Numbers the kinds of jobs in a call: what the script must know of each job and most jobs of a call share. */
function createKinds(): {
  readonly text: () => string;
  readonly count: () => number;
  readonly numberOf: (job: NewJob, around: number) => number;
} {
  const numbers = new Map<string, number>();
  let text = '';
  return {
    text: () => text,
    count: () => numbers.size,
    numberOf: (job, around) => {
      const kind = `${job.priority}\n${escapeField(job.tenant)}\n${around}\n${specialOf(job)}\n`;
      const known = numbers.get(kind);
      if (known !== undefined) return known;
      text += `${numbers.size}\n${kind}`;
      numbers.set(kind, numbers.size);
      return numbers.size - 1;
    },
  };
}

/** Arguments of the enqueue script; see lua/enqueue.ts. */
export function enqueueArguments(jobs: readonly NewJob[], atomic: boolean, scheduleMove = ''): Argument[] {
  const kinds = createKinds();
  const args: Argument[] = [atomic ? 1 : 0, scheduleMove, '', ''];
  let numbers = '';
  for (const job of jobs) {
    const payloadLength = Buffer.byteLength(job.payload);
    const front = encodeFront(job, payloadLength);
    numbers += `${kinds.numberOf(job, Buffer.byteLength(front) + payloadLength - job.bytes)} `;
    args.push(job.id, front + job.payload);
  }
  args[2] = kinds.text();
  args[3] = kinds.count() > 1 ? numbers : '';
  return args;
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
