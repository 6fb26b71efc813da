import type { ClaimedJob, NewJob } from '../../contract/index.ts';

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

/** The part of a body that the producer knows; number and `readyAt` are put before it by the store. */
export function encodeRest(job: NewJob): string {
  const line = `${job.bytes},${job.cost},${job.priority},0,${job.maxAttempts},${escapeField(job.name)},${escapeField(job.tenant)}`;
  return `${line}\n${encodeExtras(job)}\n${job.payload}`;
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

/** Reads a body. */
export function decodeBody(body: string): Body {
  const endOfLine = body.indexOf('\n');
  const endOfExtras = body.indexOf('\n', endOfLine + 1);
  const fields = body.slice(0, endOfLine).split(',');
  const extras =
    endOfExtras === endOfLine + 1 ? noExtras : (JSON.parse(body.slice(endOfLine + 1, endOfExtras)) as Extras);
  return {
    number: Number(fields[0]),
    readyAt: fields[1] ?? '',
    bytes: Number(fields[2]),
    cost: Number(fields[3]),
    priority: Number(fields[4]),
    attempts: Number(fields[5]),
    maxAttempts: Number(fields[6]),
    name: unescapeField(fields[7] ?? ''),
    tenant: unescapeField(fields[8] ?? ''),
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
