import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { ApiError } from './problem.ts';

/** A request that must have its effect once. */
export interface SubmissionKey {
  readonly tenantId: string;
  /** What is done; keys of different operations do not meet. */
  readonly operation: 'runs.create' | 'tasks.create' | 'tasks.run';
  readonly key: string;
  readonly input: unknown;
  /** Answer a duplicate like the first request instead of refusing it. */
  readonly replay: boolean;
}

/** What is told to whoever sends a key again, and the writes of which it tells. */
export interface Creation<T> {
  readonly value: T;
  /** Need not be awaited before: then the writes and the key's result travel together. When it fails, nothing is committed. */
  readonly stored: Promise<unknown>;
}

/** Runs `create` once per key: its rows and the key are committed together. */
export interface Submissions {
  submit<T extends object>(
    request: SubmissionKey,
    create: (tx: Kysely<Database>) => Promise<Creation<T>>,
  ): Promise<{ readonly value: T; readonly replayed: boolean }>;
  close(): Promise<void>;
}

/** The headers of a request that creates something. */
export interface SubmissionHeaders {
  readonly tenantId: string;
  readonly key: string | undefined;
  readonly prefer: string | undefined;
  readonly traceparent: string | undefined;
}

/** @throws {ApiError} 400 when the request has no key. */
export function requireKey(key: string | undefined): string {
  if (key === undefined || key === '') {
    const detail = 'Send an Idempotency-Key header, such as a UUID that you keep for retries of the same request.';
    throw new ApiError(400, 'ERR_IDEMPOTENCY_KEY_MISSING', detail);
  }
  return key;
}

/** `Prefer: duplicate=replay` (RFC 7240 lets applications define preferences of their own). */
export function wantsReplay(prefer: string | undefined): boolean {
  const preferences = (prefer ?? '').split(',').map((entry) => entry.trim().toLowerCase());
  return preferences.includes('duplicate=replay');
}
