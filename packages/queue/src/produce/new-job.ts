import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Awaitable, chain } from '../awaitable.ts';
import { type Codec, encodeValue } from '../codec.ts';
import type { NewJob } from '../contract/index.ts';
import { toDedupeSpec } from '../dedupe.ts';
import { toMilliseconds } from '../duration.ts';
import { InvalidOptionError, PayloadInvalidError, PayloadTooLargeError, UnknownJobError } from '../errors.ts';
import { assertInteger, type JobDefinition, type Jobs } from '../job.ts';
import type { EnqueueOptions } from '../queue.ts';

/** What turning a call into a {@link NewJob} needs. */
export interface JobMaker {
  readonly definitions: ReadonlyMap<string, JobDefinition>;
  readonly codec: Codec;
  readonly maxPayloadBytes: number;
  readonly makeId: () => string;
}

/** The place of a job in a flow. */
export interface FlowPlace {
  readonly parentId?: string;
  readonly children: number;
  readonly onFailure?: 'fail-parent' | 'ignore';
}

/** Definitions by name. @throws InvalidOptionError when two have the same */
export function indexJobs(jobs: Jobs): ReadonlyMap<string, JobDefinition> {
  const index = new Map(jobs.map((job) => [job.name, job]));
  if (index.size === jobs.length) return index;
  throw new InvalidOptionError('Two definitions in createQueue({ jobs }) have the same name.');
}

/**
 * Validates, encodes and completes one job.
 *
 * @throws UnknownJobError, PayloadInvalidError, PayloadTooLargeError, InvalidOptionError, InvalidDurationError
 */
export function makeJob(
  maker: JobMaker,
  name: string,
  payload: unknown,
  options: EnqueueOptions = {},
  place: FlowPlace = { children: 0 },
): Awaitable<NewJob> {
  const definition = maker.definitions.get(name);
  if (definition === undefined) throw new UnknownJobError(name, [...maker.definitions.keys()]);
  checkOptions(options);
  return chain(encodePayload(maker, definition, payload), (encoded) =>
    completeJob(maker, definition, encoded, options, place),
  );
}

function completeJob(
  { makeId }: JobMaker,
  definition: JobDefinition,
  { encoded, bytes }: EncodedPayload,
  options: EnqueueOptions,
  { children, parentId, onFailure }: FlowPlace,
): NewJob {
  const { visibility, priority, maxAttempts, cost, keepResult } = definition.options;
  const { dedupe, traceparent } = options;
  // Few jobs have what follows: to spread it into all of them would cost more than the rest of this.
  const job: { -readonly [K in keyof NewJob]: NewJob[K] } = {
    id: options.id ?? makeId(),
    name: definition.name,
    payload: encoded,
    bytes,
    tenant: options.tenant ?? '',
    priority: options.priority ?? priority ?? 0,
    delay: toMilliseconds(options.delay ?? 0, 'delay'),
    maxAttempts: options.maxAttempts ?? maxAttempts ?? 5,
    cost: options.cost ?? cost ?? 0,
    keepResult: toMilliseconds(options.keepResult ?? keepResult ?? 0, 'keepResult'),
    children,
  };
  if (parentId !== undefined) job.parentId = parentId;
  if (onFailure !== undefined) job.onFailure = onFailure;
  if (visibility !== undefined) job.visibility = toMilliseconds(visibility, 'visibility');
  if (dedupe !== undefined) job.dedupe = toDedupeSpec(dedupe);
  if (traceparent !== undefined) job.traceparent = traceparent;
  return job;
}

function checkOptions(options: EnqueueOptions): void {
  assertInteger('priority', options.priority, -1_000, 1_000);
  assertInteger('maxAttempts', options.maxAttempts, 1, 1_000_000);
  assertInteger('cost', options.cost, 0, Number.MAX_SAFE_INTEGER);
  if (options.id !== undefined && !/^[\w.:-]{1,128}$/.test(options.id)) {
    throw new InvalidOptionError('`id` must have 1 to 128 letters, digits, "_", "-", "." or ":".');
  }
  if (options.tenant !== undefined && (typeof options.tenant !== 'string' || options.tenant.length > 200)) {
    throw new InvalidOptionError('`tenant` must be text of at most 200 characters.');
  }
  if (options.traceparent !== undefined && options.traceparent.length > 100) {
    throw new InvalidOptionError('`traceparent` must be a W3C traceparent of at most 100 characters.');
  }
}

interface EncodedPayload {
  readonly encoded: string;
  readonly bytes: number;
}

/** The input is stored, not the schema's output: the worker parses it again, so transforms run once, where the handler is. */
function encodePayload(maker: JobMaker, definition: JobDefinition, payload: unknown): Awaitable<EncodedPayload> {
  const valid = validate(definition, payload);
  const text = chain(valid, () => encodeValue(maker.codec, payload));
  return chain(text, (encoded) => {
    if (encoded === undefined) throw new PayloadInvalidError(definition.name, [{ message: 'must be a JSON value' }]);
    const bytes = Buffer.byteLength(encoded);
    if (bytes > maker.maxPayloadBytes) throw new PayloadTooLargeError(definition.name, bytes, maker.maxPayloadBytes);
    return { encoded, bytes };
  });
}

/** @returns the schema's output. @throws PayloadInvalidError */
export function validate(definition: JobDefinition, payload: unknown): Awaitable<unknown> {
  const result: Awaitable<StandardSchemaV1.Result<unknown>> = definition.schema['~standard'].validate(payload);
  return chain(result, (checked) => {
    if (checked.issues !== undefined) throw new PayloadInvalidError(definition.name, checked.issues);
    return checked.value;
  });
}
