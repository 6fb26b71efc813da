import type { ClaimedJob, NewJob } from '../../contract/index.ts';
import { defaultMaxAttempts } from './lua/index.ts';

/** Rare fields of a job, stored as JSON under short names: they are kept once per job. The scripts read them, too. */
export interface Extras {
  /** visibility */
  v?: number;
  /** keepResult */
  k?: number;
  /** traceparent */
  t?: string;
  /** parentId */
  p?: string;
  /** onFailure is `ignore` */
  i?: 1;
  /** children */
  c?: number;
  /** children not finished yet */
  n?: number;
  /** dedupe key */
  d?: string;
  /** dedupe mode */
  m?: string;
}

/** A body, read. */
export interface Body {
  readonly number: number;
  /** `w`: waits for other jobs. */
  readonly readyAt: string;
  readonly bytes: number;
  readonly cost: number;
  readonly priority: number;
  /** Attempts that have ended. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly name: string;
  readonly tenant: string;
  readonly extras: Extras;
  readonly payload: string;
}

const special = /[%,\n]/;

/** Names and tenants stand in a line of fields, and in names of keys. */
export function escapeField(text: string): string {
  return special.test(text)
    ? text.replace(/[%,\n]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    : text;
}

/** Undoes {@link escapeField}. */
export function unescapeField(text: string): string {
  return text.includes('%')
    ? text.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    : text;
}

/** Whether all that the short form of a body leaves out is as the form supposes. */
function isUsual(job: NewJob, length: number): boolean {
  return (
    job.maxAttempts === defaultMaxAttempts &&
    job.tenant === '' &&
    job.bytes === length &&
    job.cost === 0 &&
    job.priority === 0 &&
    job.traceparent === undefined &&
    !isSpecial(job)
  );
}

/** The part of a body between its number, which the store puts before it, and the payload. `length`: bytes of the payload. */
export function encodeFront(job: NewJob, length: number): string {
  if (isUsual(job, length)) return `${escapeField(job.name)}\n`;
  const line = `,,${job.bytes},${job.cost},${job.priority},0,${job.maxAttempts},${escapeField(job.name)},${escapeField(job.tenant)}`;
  return `${line}\n${encodeExtras(job)}\n`;
}

function encodeExtras(job: NewJob): string {
  if (!isSpecial(job)) return job.traceparent === undefined ? '' : JSON.stringify({ t: job.traceparent });
  const extras: Extras = {
    ...(job.visibility !== undefined && { v: job.visibility }),
    ...(job.keepResult > 0 && { k: job.keepResult }),
    ...(job.traceparent !== undefined && { t: job.traceparent }),
    ...(job.parentId !== undefined && { p: job.parentId }),
    ...(job.onFailure === 'ignore' && { i: 1 as const }),
    ...(job.children > 0 && { c: job.children, n: job.children }),
    ...(job.dedupe !== undefined && { d: job.dedupe.key, m: job.dedupe.mode }),
  };
  return JSON.stringify(extras);
}

function isSpecial(job: NewJob): boolean {
  return (
    job.visibility !== undefined ||
    job.keepResult > 0 ||
    job.parentId !== undefined ||
    job.children > 0 ||
    job.dedupe !== undefined
  );
}

const signs = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const valueOfSign = new Uint8Array(128);
for (let value = 0; value < signs.length; value += 1) valueOfSign[signs.charCodeAt(value)] = value;

/** The sequence number at the start of a body: 9 signs of 6 bits. */
function decodeNumber(body: string): number {
  let number = 0;
  for (let index = 0; index < numberLength; index += 1) {
    number = number * 64 + (valueOfSign[body.charCodeAt(index)] ?? 0);
  }
  return number;
}

const numberLength = 9;

/** Reads a body. */
export function decodeBody(body: string): Body {
  return body.charAt(numberLength) === ',' ? decodeLong(body) : decodeShort(body);
}

function decodeShort(body: string): Body {
  const endOfLine = body.indexOf('\n', numberLength);
  const payload = body.slice(endOfLine + 1);
  return {
    number: decodeNumber(body),
    readyAt: '',
    bytes: Buffer.byteLength(payload),
    cost: 0,
    priority: 0,
    attempts: 0,
    maxAttempts: defaultMaxAttempts,
    name: unescapeField(body.slice(numberLength, endOfLine)),
    tenant: '',
    extras: noExtras,
    payload,
  };
}

function decodeLong(body: string): Body {
  const endOfLine = body.indexOf('\n');
  const endOfExtras = body.indexOf('\n', endOfLine + 1);
  const fields = body.slice(numberLength + 1, endOfLine).split(',');
  const extras =
    endOfExtras === endOfLine + 1 ? noExtras : (JSON.parse(body.slice(endOfLine + 1, endOfExtras)) as Extras);
  return {
    number: decodeNumber(body),
    readyAt: fields[0] ?? '',
    bytes: Number(fields[1]),
    cost: Number(fields[2]),
    priority: Number(fields[3]),
    attempts: Number(fields[4]),
    maxAttempts: Number(fields[5]),
    name: unescapeField(fields[6] ?? ''),
    tenant: unescapeField(fields[7] ?? ''),
    extras,
    payload: body.slice(endOfExtras + 1),
  };
}

const noExtras: Extras = {};

/** Store time of enqueueing, milliseconds since 1970. */
export function enqueuedAtOf(body: Body): number {
  return Math.floor(body.number / 1_000);
}

/** Store time of becoming ready; undefined while it waits for other jobs. */
export function readyAtOf(body: Body): number | undefined {
  if (body.readyAt === 'w') return undefined;
  return body.readyAt === '' ? enqueuedAtOf(body) : Number(body.readyAt);
}

/** A job that this call has claimed. */
export function claimedJob(id: string, text: string, fence: number, now: number): ClaimedJob {
  const body = decodeBody(text);
  const { extras } = body;
  return {
    id,
    name: body.name,
    payload: body.payload,
    tenant: body.tenant,
    priority: body.priority,
    attempt: body.attempts + 1,
    maxAttempts: body.maxAttempts,
    fence,
    cost: body.cost,
    enqueuedAt: enqueuedAtOf(body),
    waitMs: Math.max(0, now - (readyAtOf(body) ?? now)),
    hasChildren: extras.c !== undefined,
    ...(extras.v !== undefined && { visibility: extras.v }),
    ...(extras.t !== undefined && { traceparent: extras.t }),
    ...(extras.p !== undefined && { parentId: extras.p }),
  };
}
