import { type Awaitable, chain } from '../awaitable.ts';
import type { Clock } from '../clock.ts';
import { type Codec, decodeValue, encodeValue } from '../codec.ts';
import { PayloadTooLargeError } from '../errors.ts';
import type { BatchHandler, Handler, HandlerContext, Job } from '../handler.ts';
import { type AttemptInfo, type QueueInstrumentation, wraps } from '../instrumentation.ts';
import type { JobDefinition } from '../job.ts';
import { validate } from '../produce/new-job.ts';
import type { Attempt } from './attempt.ts';
import { describeFailure, type Ending, endingOf } from './failure.ts';

/** What running a handler needs. */
export interface RunParts {
  readonly queue: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly codec: Codec;
  readonly maxPayloadBytes: number;
  readonly instrumentation: QueueInstrumentation | undefined;
  readonly context: (attempt: Attempt) => HandlerContext;
}

/** A job whose name this process does not know waits this long for one that does (a rolling deployment). */
const unknownNameDelay = 5_000;

const plainAck: Ending = { kind: 'ack' };

/**
 * Runs one job, and says how it ended: once, and never in the same turn. By one promise: an async function would cost each job one more, and its
 * own state.
 */
export function runOne(parts: RunParts, attempt: Attempt, handler: Handler, ended: (ending: Ending) => void): void {
  const { definition } = attempt;
  if (definition === undefined) {
    queueMicrotask(() => ended({ kind: 'snooze', delay: unknownNameDelay }));
    return;
  }
  attempt.begin();
  Promise.resolve(resultOf(parts, attempt, definition, handler)).then(
    (result) => chain(successOf(parts, attempt, definition, result), ended),
    (error: unknown) => ended(fail(parts, attempt, definition, error)),
  );
}

function resultOf(parts: RunParts, attempt: Attempt, definition: JobDefinition, handler: Handler): unknown {
  try {
    const job = toJob(parts, attempt, definition);
    // Waiting for what is there already would cost each job several turns of the microtask queue.
    if (job instanceof Promise) return job.then((late) => call(parts, attempt, handler, late));
    return call(parts, attempt, handler, job);
  } catch (error) {
    return Promise.reject(error);
  }
}

function call(parts: RunParts, attempt: Attempt, handler: Handler, job: Job): unknown {
  const bare = !wraps(parts.instrumentation, 'aroundAttempt');
  return bare ? handler(job, parts.context(attempt)) : wrapped(parts, attempt, handler, job);
}

/** A result that cannot be encoded is a failure. */
function successOf(parts: RunParts, attempt: Attempt, definition: JobDefinition, result: unknown): Awaitable<Ending> {
  try {
    const ending = succeed(parts, attempt, result);
    return ending instanceof Promise
      ? ending.catch((error: unknown) => fail(parts, attempt, definition, error))
      : ending;
  } catch (error) {
    return fail(parts, attempt, definition, error);
  }
}

/** Runs a batch handler; jobs whose payload does not fit end before it. Never rejects. */
export async function runBatch(
  parts: RunParts,
  attempts: readonly Attempt[],
  definition: JobDefinition,
  handler: BatchHandler,
  ended: (attempt: Attempt, ending: Ending) => void,
): Promise<void> {
  const good: { readonly attempt: Attempt; readonly job: Job }[] = [];
  for (const attempt of attempts) {
    attempt.begin();
    try {
      good.push({ attempt, job: await toJob(parts, attempt, definition) });
    } catch (error) {
      ended(attempt, fail(parts, attempt, definition, error));
    }
  }
  if (good.length === 0) return;
  const results = await runTogether(parts, good, handler);
  for (const [index, { attempt }] of good.entries()) {
    const { value, failed } = results(index);
    ended(attempt, failed ? fail(parts, attempt, definition, value) : await succeed(parts, attempt, value));
  }
}

type Outcome = { readonly value: unknown; readonly failed: boolean };

async function runTogether(
  parts: RunParts,
  good: readonly { readonly attempt: Attempt; readonly job: Job }[],
  handler: BatchHandler,
): Promise<(index: number) => Outcome> {
  const jobs = good.map(({ job }) => job);
  const contexts = good.map(({ attempt }) => parts.context(attempt));
  const call = (): unknown => handler.run(jobs, contexts);
  const wrapped = good.reduceRight<() => unknown>(
    (next, { attempt }) =>
      () =>
        around(parts, attempt, next),
    call,
  );
  try {
    const results = await wrapped();
    if (!Array.isArray(results) || results.length !== jobs.length) return () => ({ value: undefined, failed: false });
    return (index) => ({ value: results[index], failed: results[index] instanceof Error });
  } catch (error) {
    return () => ({ value: error, failed: true });
  }
}

function toJob(parts: RunParts, { job }: Attempt, definition: JobDefinition): Awaitable<Job> {
  const decoded = decodeValue(parts.codec, job.payload);
  const payload = chain(decoded, (value) => validate(definition, value));
  return chain(payload, (valid) => ({
    id: job.id,
    name: job.name,
    payload: valid,
    tenant: job.tenant,
    priority: job.priority,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    enqueuedAt: job.enqueuedAt,
  }));
}

/** A function of its own: a closure in {@link call} would cost each job its scope, wrapped or not. */
function wrapped(parts: RunParts, attempt: Attempt, handler: Handler, job: Job): unknown {
  return around(parts, attempt, () => handler(job, parts.context(attempt)));
}

function around(parts: RunParts, { job }: Attempt, next: () => unknown): unknown {
  const { queue, instrumentation } = parts;
  if (!wraps(instrumentation, 'aroundAttempt')) return next();
  const { id, name, tenant, attempt, fence, waitMs, traceparent } = job;
  const info: AttemptInfo = { queue, id, jobId: id, name, tenant, attempt, fence, waitMs };
  return instrumentation.aroundAttempt(traceparent === undefined ? info : { ...info, traceparent }, async () => next());
}

function succeed(parts: RunParts, attempt: Attempt, value: unknown): Awaitable<Ending> {
  return chain(encodeValue(parts.codec, value), (result) => acknowledge(parts, attempt, result));
}

function acknowledge(parts: RunParts, { job }: Attempt, result: string | undefined): Ending {
  if (result === undefined) return plainAck;
  const bytes = Buffer.byteLength(result);
  if (bytes <= parts.maxPayloadBytes) return { kind: 'ack', result };
  // The work is done, so it must not run again; but a result that is dropped in silence would be missed.
  const error = new PayloadTooLargeError(`${job.name} (result)`, bytes, parts.maxPayloadBytes);
  return { kind: 'dead', failure: describeFailure(error, job.attempt, parts.clock.now()) };
}

function fail(parts: RunParts, attempt: Attempt, definition: JobDefinition, error: unknown): Ending {
  const { job } = attempt;
  // What a handler throws after its signal has aborted is as a rule a consequence of the abort: the reason counts.
  const cause = attempt.aborted ? attempt.signal.reason : error;
  const failed = {
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    options: definition.options,
    now: parts.clock.now(),
    random: parts.random,
  };
  try {
    return endingOf(cause, failed);
  } catch (policyError) {
    // The job's own `onFailure` or `backoff` threw.
    return endingOf(policyError, { ...failed, options: {} });
  }
}
