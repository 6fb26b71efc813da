import { exponential } from '../backoff.ts';
import type { Settlement } from '../contract/exchange.ts';
import type { JobFailure } from '../contract/job.ts';
import { toMilliseconds } from '../duration.ts';
import type { JobOptions } from '../job.ts';

/** How an attempt ended, before it is tied to its lease. */
export type Ending =
  | { readonly kind: 'ack'; readonly result?: string }
  | { readonly kind: 'retry'; readonly delay: number; readonly failure: JobFailure }
  | { readonly kind: 'snooze'; readonly delay: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'dead'; readonly failure: JobFailure }
  | { readonly kind: 'cancelled' };

/** What of an attempt decides about its failure. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly options: JobOptions;
  readonly now: number;
  readonly random: () => number;
}

const defaultBackoff = exponential();

/** Decides what becomes of an attempt that threw `error`. */
export function endingOf(error: unknown, failed: FailedAttempt): Ending {
  const code = codeOf(error);
  if (code === 'ERR_WORKER_SHUTDOWN') return { kind: 'release' };
  if (code === 'ERR_JOB_CANCELLED') return { kind: 'cancelled' };
  if (code === 'ERR_SNOOZE') return { kind: 'snooze', delay: numberIn(error, 'delay') ?? 0 };
  const failure = describeFailure(error, failed.attempt, failed.now);
  const hopeless = code === 'ERR_UNRECOVERABLE' || code === 'ERR_PAYLOAD_INVALID' || code === 'ERR_CODEC';
  if (hopeless) return { kind: 'dead', failure };
  return decide(error, failed, failure);
}

function decide(error: unknown, failed: FailedAttempt, failure: JobFailure): Ending {
  const decision = failed.options.onFailure?.(error, failed.attempt);
  if (typeof decision === 'object' && 'snooze' in decision) {
    return { kind: 'snooze', delay: toMilliseconds(decision.snooze, 'snooze') };
  }
  if (decision === 'dead' || failed.attempt >= failed.maxAttempts) return { kind: 'dead', failure };
  if (decision !== undefined) {
    return { kind: 'retry', delay: toMilliseconds(decision.retryAfter, 'retryAfter'), failure };
  }
  const wanted = numberIn(error, 'retryAfter');
  const backoff = failed.options.backoff ?? defaultBackoff;
  const delay = wanted ?? Math.max(0, backoff(failed.attempt, failed.random));
  return { kind: 'retry', delay, failure };
}

/** Ties an ending to its lease. */
export function toSettlement(jobId: string, fence: number, ending: Ending, cost: number | undefined): Settlement {
  // Most endings: written out, since spreading costs more.
  if (ending.kind === 'ack' && ending.result === undefined && cost === undefined) return { jobId, fence, kind: 'ack' };
  return { jobId, fence, ...ending, ...(cost !== undefined && { cost }) };
}

/** What is kept of an error: no stack, no cause, nothing that grows. */
export function describeFailure(error: unknown, attempt: number, at: number): JobFailure {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 2_000);
  const code = codeOf(error) ?? (error instanceof Error ? error.name : 'Error');
  return { attempt, at, message, code, fingerprint: fingerprintOf(code, message) };
}

/** `code` of an error, where it is text. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code.slice(0, 100) : undefined;
}

function numberIn(error: unknown, field: 'retryAfter' | 'delay'): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value: unknown = Reflect.get(error, field);
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** The same for errors that differ only in quoted text, ids and numbers. */
export function fingerprintOf(code: string, message: string): string {
  const shape = message
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '…')
    .replace(/\b[0-9a-f-]*\d[0-9a-z-]*\b/gi, '#')
    .replace(/\s+/g, ' ');
  return `${code} ${shape}`.trim().slice(0, 200);
}
