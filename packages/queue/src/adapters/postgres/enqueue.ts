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

/** Stands between texts that do not contain it: JSON does not, unless a codec makes something else of it. */
const separator = '\u001f';

/** What of a request does not fit into a list of texts with a separator: then it goes as JSON. An empty text alone would be no text at all. */
function isSeparable(texts: readonly string[]): boolean {
  return texts.every((text) => text !== '' && !text.includes(separator));
}

/** The shapes of jobs, and for each job the number of its own. */
function shapesOf(jobs: readonly NewJob[]): { readonly shapes: string; readonly forms: string } {
  const numbers = new Map<string, number>();
  const forms = jobs.map((job) => {
    const shape = shapeOf(job);
    const number = numbers.get(shape) ?? numbers.size + 1;
    numbers.set(shape, number);
    return number;
  });
  return { shapes: `[${[...numbers.keys()].join(',')}]`, forms: `{${forms.join(',')}}` };
}

/** Arguments of `fn.enqueue` that describe the jobs: shapes, separator, ids, payloads, sizes, forms, special. All text, so that any driver sends them alike. */
export function enqueueArguments(jobs: readonly NewJob[], mayJoin = true): unknown[] {
  const { shapes, forms } = shapesOf(jobs);
  const ids = jobs.map(({ id }) => id);
  const payloads = jobs.map(({ payload }) => payload);
  const joins = mayJoin && isSeparable(ids) && isSeparable(payloads);
  const list = (texts: readonly string[]): string => (joins ? texts.join(separator) : JSON.stringify(texts));
  return [
    shapes,
    joins ? separator : null,
    list(ids),
    list(payloads),
    `{${jobs.map(({ bytes }) => bytes).join(',')}}`,
    forms,
    jobs.some(isSpecial),
  ];
}

/** Arguments of `fn.enqueue_locked` that describe the jobs: shapes, ids, payloads, sizes, forms; lists are JSON. */
export function lockedArguments(jobs: readonly NewJob[]): unknown[] {
  const [shapes, , ids, payloads, sizes, forms] = enqueueArguments(jobs, false);
  return [shapes, ids, payloads, sizes, forms];
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
