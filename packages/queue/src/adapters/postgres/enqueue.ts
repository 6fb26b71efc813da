import type { EnqueueAnswer, NewJob } from '../../contract/index.ts';
import type { FullReason } from '../../errors.ts';

/** Most jobs in one call: some 20 ms of PostgreSQL. A request marked atomic is never cut. */
export const enqueueChunk = 1_000;

/** Milliseconds after which a producer that met a high-water mark is told to try again. */
const retryAfter = 1_000;

/** What jobs have in common, under short names; see `fn.shape`. */
function shapeOf(job: NewJob): string {
  const { name, tenant, priority, delay, maxAttempts, cost, dedupe } = job;
  return JSON.stringify({
    ...{ n: name, t: tenant, p: priority, d: delay, a: maxAttempts, c: cost },
    ...(isExtra(job) && { x: extraOf(job) }),
    ...(dedupe !== undefined && { m: dedupe }),
  });
}

function isExtra(job: NewJob): boolean {
  return job.traceparent !== undefined || job.visibility !== undefined || job.keepResult > 0 || isSpecial(job);
}

function isSpecial(job: NewJob): boolean {
  return job.dedupe !== undefined || job.children > 0 || job.parentId !== undefined;
}

/** Rare fields of a job, kept as JSON: visibility, keepResult, traceparent, parent, ignored failure, children and how many are pending, key and mode. */
function extraOf(job: NewJob): object {
  return {
    ...(job.visibility !== undefined && { v: job.visibility }),
    ...(job.keepResult > 0 && { k: job.keepResult }),
    ...(job.traceparent !== undefined && { t: job.traceparent }),
    ...(job.parentId !== undefined && { p: job.parentId }),
    ...(job.onFailure === 'ignore' && { i: 1 }),
    ...(job.children > 0 && { c: job.children, n: job.children }),
    ...(job.dedupe !== undefined && { d: job.dedupe.key, m: job.dedupe.mode }),
  };
}

/** Arguments of `fn.enqueue` that describe the jobs: shapes, ids, payloads, sizes, forms, special. All text, so that any driver sends them alike. */
export function enqueueArguments(jobs: readonly NewJob[]): unknown[] {
  const numbers = new Map<string, number>();
  const forms = jobs.map((job) => {
    const shape = shapeOf(job);
    const number = numbers.get(shape) ?? numbers.size + 1;
    numbers.set(shape, number);
    return number;
  });
  return [
    `[${[...numbers.keys()].join(',')}]`,
    JSON.stringify(jobs.map(({ id }) => id)),
    JSON.stringify(jobs.map(({ payload }) => payload)),
    `{${jobs.map(({ bytes }) => bytes).join(',')}}`,
    `{${forms.join(',')}}`,
    jobs.some(isSpecial),
  ];
}

type Told =
  | null
  | readonly [id: string, replaced: boolean]
  | readonly [scope: FullReason['scope'], limit: FullReason['limit']];

/** The answer of `fn.enqueue`, in the order of the jobs. */
export function enqueueAnswers(jobs: readonly NewJob[], answers: string | null): EnqueueAnswer[] {
  if (answers === null) return jobs.map(({ id }) => ({ status: 'accepted', id }));
  const told = JSON.parse(answers) as Told[];
  return jobs.map(({ id }, index) => {
    const answer = told[index] ?? null;
    if (answer === null) return { status: 'accepted', id };
    const [first, second] = answer;
    if (typeof second === 'boolean') return { status: 'duplicate', id: first, replaced: second };
    return { status: 'rejected', reason: { scope: first as FullReason['scope'], limit: second }, retryAfter };
  });
}
