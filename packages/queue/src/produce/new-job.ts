import type { StandardSchemaV1 } from '@standard-schema/spec';
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
export async function makeJob(
  maker: JobMaker,
  name: string,
  payload: unknown,
  options: EnqueueOptions = {},
  place: FlowPlace = { children: 0 },
): Promise<NewJob> {
  const definition = maker.definitions.get(name);
  if (definition === undefined) throw new UnknownJobError(name, [...maker.definitions.keys()]);
  checkOptions(options);
  const encoded = await encodePayload(maker, definition, payload);
  const { visibility } = definition.options;
  return {
    id: options.id ?? maker.makeId(),
    name,
    payload: encoded,
    bytes: Buffer.byteLength(encoded),
    tenant: options.tenant ?? '',
    priority: options.priority ?? definition.options.priority ?? 0,
    delay: toMilliseconds(options.delay ?? 0, 'delay'),
    maxAttempts: options.maxAttempts ?? definition.options.maxAttempts ?? 5,
    cost: options.cost ?? definition.options.cost ?? 0,
    keepResult: toMilliseconds(options.keepResult ?? definition.options.keepResult ?? 0, 'keepResult'),
    ...place,
    ...(visibility !== undefined && { visibility: toMilliseconds(visibility, 'visibility') }),
    ...(options.dedupe !== undefined && { dedupe: toDedupeSpec(options.dedupe) }),
    ...(options.traceparent !== undefined && { traceparent: options.traceparent }),
  };
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

async function encodePayload(maker: JobMaker, definition: JobDefinition, payload: unknown): Promise<string> {
  // The input is stored, not the schema's output: the worker parses it again, so transforms run once, where the handler is.
  await validate(definition, payload);
  const encoded = await encodeValue(maker.codec, payload);
  if (encoded === undefined) throw new PayloadInvalidError(definition.name, [{ message: 'must be a JSON value' }]);
  const bytes = Buffer.byteLength(encoded);
  if (bytes > maker.maxPayloadBytes) throw new PayloadTooLargeError(definition.name, bytes, maker.maxPayloadBytes);
  return encoded;
}

/** @returns the schema's output. @throws PayloadInvalidError */
export async function validate(definition: JobDefinition, payload: unknown): Promise<unknown> {
  const pending: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>> =
    definition.schema['~standard'].validate(payload);
  const result = pending instanceof Promise ? await pending : pending;
  if (result.issues !== undefined) throw new PayloadInvalidError(definition.name, result.issues);
  return result.value;
}
