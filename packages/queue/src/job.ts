import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Backoff } from './backoff.ts';
import type { Duration } from './duration.ts';
import { InvalidOptionError } from './errors.ts';

/** What to do with a failed attempt. `undefined`: as the job's options say. */
export type FailureDecision = { readonly retryAfter: Duration } | { readonly snooze: Duration } | 'dead' | undefined;

/** How jobs of one name are run. */
export interface JobOptions {
  /** Attempts until the job is dead, the first included. @default 5 */
  readonly maxAttempts?: number;
  /** Wait between attempts. @default exponential() */
  readonly backoff?: Backoff;
  /** Decides per error, before `backoff`. @default undefined */
  readonly onFailure?: (error: unknown, attempt: number) => FailureDecision;
  /** Larger first, integer from -1,000 to 1,000. @default 0 */
  readonly priority?: number;
  /** Estimated cost units of one run, an integer: counts against the tenant's budget and share. @default 0 */
  readonly cost?: number;
  /** Slots of the worker's concurrency that one run takes. @default 1 */
  readonly slots?: number;
  /** The longest an attempt may run; then `ctx.signal` aborts and the attempt has failed. @default unlimited */
  readonly deadline?: Duration;
  /** Aborts an attempt that calls neither `ctx.progress()` nor `ctx.touch()` for this long. @default unlimited */
  readonly stall?: Duration;
  /** A lease of the job's own (SQS calls it visibility timeout): over unless `ctx.extend()` is called in time. @default as long as the worker lives */
  readonly visibility?: Duration;
  /** How long the result of a success is kept for `handle.result()`. @default 0 (not kept) */
  readonly keepResult?: Duration;
}

/** A kind of job: its name, the schema of its payload, and how it is run. Made by {@link defineJob}. */
export interface JobDefinition<Name extends string = string, Schema extends StandardSchemaV1 = StandardSchemaV1> {
  readonly name: Name;
  readonly schema: Schema;
  readonly options: JobOptions;
}

/** The definitions a queue knows. */
export type Jobs = readonly JobDefinition[];
/** The names of `J`. */
export type JobName<J extends Jobs> = J[number]['name'];
/** The schema of the job `N`. */
type SchemaOf<J extends Jobs, N extends JobName<J>> = Extract<J[number], { readonly name: N }>['schema'];
/** What `enqueue` takes for the job `N`. */
export type PayloadInput<J extends Jobs, N extends JobName<J>> = StandardSchemaV1.InferInput<SchemaOf<J, N>>;
/** What the handler of the job `N` is given. */
export type Payload<J extends Jobs, N extends JobName<J>> = StandardSchemaV1.InferOutput<SchemaOf<J, N>>;

/**
 * Declares a kind of job.
 *
 * @example
 * const sendMail = defineJob('send-mail', z.object({ to: z.string() }), { maxAttempts: 3 });
 *
 * @param schema - any Standard Schema (zod, valibot, arktype …); checked at enqueue and before the handler
 * @throws InvalidOptionError
 */
export function defineJob<const Name extends string, Schema extends StandardSchemaV1>(
  name: Name,
  schema: Schema,
  options: JobOptions = {},
): JobDefinition<Name, Schema> {
  if (!/^[\w.:-]{1,100}$/.test(name)) {
    throw new InvalidOptionError(
      `The name of a job may have 1 to 100 letters, digits, "_", "-", "." and ":"; got ${JSON.stringify(name)}.`,
    );
  }
  assertInteger('maxAttempts', options.maxAttempts, 1, 1_000_000);
  assertInteger('priority', options.priority, -1_000, 1_000);
  assertInteger('cost', options.cost, 0, Number.MAX_SAFE_INTEGER);
  assertInteger('slots', options.slots, 1, 1_000_000);
  return { name, schema, options };
}

/** @throws InvalidOptionError unless `value` is absent or an integer from `min` to `max` */
export function assertInteger(option: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new InvalidOptionError(`\`${option}\` must be an integer from ${min} to ${max}; it is ${String(value)}.`);
}
