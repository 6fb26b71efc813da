import { canonicalJson } from './canonical-json.ts';
import { InvalidKeyError } from './errors.ts';
import { fingerprint, sha256 } from './fingerprint.ts';
import type { RecordKey } from './record.ts';

/** Longest key, in characters; the limit that Stripe's API made common. */
export const maxKeyLength = 255;

/** Longest tenant or operation name, in characters. */
export const maxNameLength = 255;

/** Printable ASCII, 1 to 255 characters: what an Idempotency-Key header can carry as a Structured Field string (RFC 9651 §3.3.3). */
const keyGrammar = /^[\x20-\x7e]{1,255}$/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses; PostgreSQL cannot store NUL
const controls = /[\x00-\x1f\x7f]/;

/**
 * The key of a task with a given input: the task's id and the input's fingerprint, so that the same task with the same input is executed
 * once, and with another input again.
 *
 * @example
 * ```ts
 * keyFrom('task-42', { repo: 'acme/api', prompt: 'fix #12' }); // 'task-42:47DEQpj8HBSa…'
 * ```
 * @throws InvalidKeyError when the id is not 1 to 200 printable ASCII characters
 * @throws UnserializableError when the input has no JSON form
 */
export function keyFrom(taskId: string, input: unknown): string {
  if (!keyGrammar.test(taskId) || taskId.length > 200) {
    throw new InvalidKeyError('A task id must be 1 to 200 printable ASCII characters; hash it first if it is not.');
  }
  return `${taskId}:${fingerprint(input)}`;
}

/**
 * Refuses names that a store could not keep apart or keep at all.
 *
 * @throws InvalidKeyError naming the part and the rule
 */
export function checkRecordKey({ tenant, operation, key }: RecordKey): void {
  if (typeof key !== 'string' || !keyGrammar.test(key)) {
    throw new InvalidKeyError(`An idempotency key must be 1 to ${maxKeyLength} printable ASCII characters.`);
  }
  checkName('tenant', tenant);
  checkName('operation', operation);
}

/** A key for a downstream call of an execution: the same for every attempt, different for every record and name. */
export function deriveKey({ tenant, operation, key }: RecordKey, name: string): string {
  return sha256(canonicalJson(['derive', tenant, operation, key, name]));
}

/** One text per record; no two records share one, because names carry no control characters. */
export function recordId({ tenant, operation, key }: RecordKey): string {
  return `${tenant}\0${operation}\0${key}`;
}

function checkName(part: 'tenant' | 'operation', name: unknown): void {
  const valid =
    typeof name === 'string' &&
    name.length > 0 &&
    name.length <= maxNameLength &&
    name.isWellFormed() &&
    !controls.test(name);
  if (!valid) {
    throw new InvalidKeyError(`The ${part} must be 1 to ${maxNameLength} characters without control characters.`);
  }
}
