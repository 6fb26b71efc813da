import { STATUS_CODES } from 'node:http';
import {
  IdempotencyDuplicateError,
  IdempotencyError,
  IdempotencyInProgressError,
  LeaseLostError,
  StoreUnavailableError,
} from '../errors.ts';

/** An answer that is not the handler's: a problem, a replay, an attachment. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array | ReadableStream<Uint8Array> | undefined;
}

/** What a problem says besides its status. */
export interface ProblemDetails {
  readonly code: `ERR_${string}`;
  readonly detail: string;
  /** Milliseconds until trying again can help. */
  readonly retryAfter?: number;
  /** Where to look instead. */
  readonly location?: string | undefined;
}

/** Problem details (RFC 9457) with a stable `code`. */
export function problem(status: number, { code, detail, retryAfter, location }: ProblemDetails): Answer {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail };
  const headers: [string, string][] = [
    ['content-type', 'application/problem+json'],
    ['cache-control', 'no-store'],
  ];
  // Whole seconds (RFC 9110 §10.2.3), never 0: that would invite a loop.
  if (retryAfter !== undefined) headers.push(['retry-after', String(Math.max(1, Math.ceil(retryAfter / 1000)))]);
  if (location !== undefined) headers.push(['location', location]);
  return { status, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
}

const statusByCode: Readonly<Record<string, number>> = {
  ERR_INVALID_KEY: 400,
  ERR_UNSERIALIZABLE: 400,
  ERR_IDEMPOTENCY_IN_PROGRESS: 409,
  ERR_IDEMPOTENCY_DUPLICATE: 409,
  ERR_OUTCOME_UNKNOWN: 409,
  ERR_LEASE_LOST: 409,
  ERR_IDEMPOTENCY_MISMATCH: 422,
  ERR_STORE_UNAVAILABLE: 503,
};

/** The answer for an error of this package; undefined for any other. */
export function problemOf(error: unknown, location?: string): Answer | undefined {
  if (!(error instanceof IdempotencyError)) return undefined;
  if (error instanceof IdempotencyInProgressError && error.location !== undefined) return attached(error.location);
  const status = statusByCode[error.code];
  if (status === undefined) return undefined;
  const code = error.code as `ERR_${string}`;
  return problem(status, { code, detail: error.message, location, ...retryAfterOf(error) });
}

/** Whether the first response's Location may be told together with the error. */
export function firstResponseOf(error: unknown): unknown {
  return error instanceof IdempotencyDuplicateError ? error.value : undefined;
}

function retryAfterOf(error: IdempotencyError): { readonly retryAfter?: number } {
  if (error instanceof IdempotencyInProgressError) return { retryAfter: error.retryAfter };
  if (error instanceof StoreUnavailableError) return { retryAfter: error.retryAfter };
  return error instanceof LeaseLostError ? { retryAfter: 1000 } : {};
}

/** 202: the first request still runs, and there it can be followed. */
function attached(location: string): Answer {
  return { status: 202, headers: [['location', location]], body: undefined };
}
