import { UnserializableError } from './errors.ts';

/** Deeper values are refused instead of exhausting the stack. */
const maxDepth = 512;

/**
 * The canonical JSON text of a value by RFC 8785 (JSON Canonicalization Scheme): members sorted by UTF-16 code units, numbers as
 * ECMAScript writes them, no white space. What JSON leaves out (`undefined`, functions) is left out here too, and `toJSON` is honoured.
 *
 * @throws UnserializableError for what has no JSON form: NaN and infinities, bigint, lone surrogates, `Map`, `Set`, binary data,
 *   cycles, or more than 512 levels
 */
export function canonicalJson(value: unknown): string {
  const text = write(value, 0);
  if (text === undefined) throw new UnserializableError(`A ${typeof value} has no JSON form.`);
  return text;
}

function write(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      if (Number.isFinite(value)) return String(value === 0 ? 0 : value);
      throw new UnserializableError(`${value} has no JSON form: send null or text instead.`);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : writeObject(value, depth);
    case 'bigint':
      throw new UnserializableError('A bigint has no JSON form: convert it to text.');
    default:
      return undefined;
  }
}

/** Characters that JSON escapes, or that may be half of a pair; texts without any, the most, need only their quotes. */
const special = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;

function writeString(text: string): string {
  if (!special.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new UnserializableError('A text contains half of a surrogate pair.');
  return JSON.stringify(text);
}

function writeObject(value: object, depth: number): string | undefined {
  if (depth >= maxDepth) {
    throw new UnserializableError(`The value has more than ${maxDepth} levels, or contains itself.`);
  }
  if (Array.isArray(value)) return writeArray(value, depth + 1);
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(), depth + 1);
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new UnserializableError(
      `A ${value.constructor.name} has no JSON form: convert it to a plain object or text.`,
    );
  }
  return writeMembers(value as Readonly<Record<string, unknown>>, depth + 1);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = '[';
  for (let index = 0; index < items.length; index += 1) {
    if (index > 0) text += ',';
    text += write(items[index], depth) ?? 'null';
  }
  return `${text}]`;
}

function writeMembers(object: Readonly<Record<string, unknown>>, depth: number): string {
  let text = '';
  for (const name of sortedNames(object)) {
    const member = write(object[name], depth);
    if (member !== undefined) text += `${text === '' ? '' : ','}${writeString(name)}:${member}`;
  }
  return `{${text}}`;
}

/** Most objects come from the same code and have their members in the same order: sorting is for those that are not sorted. */
function sortedNames(object: object): readonly string[] {
  const names = Object.keys(object);
  for (let index = 1; index < names.length; index += 1) {
    if ((names[index - 1] as string) > (names[index] as string)) return names.sort();
  }
  return names;
}
