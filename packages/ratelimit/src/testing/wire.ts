import type { AccountBuckets } from './buckets.ts';
import type { FullTurn, ProviderRequest } from './turn.ts';

/** Kinds of refusal that every provider words in its own way. */
export type Refusal = 'rate-limit' | 'quota' | 'overloaded' | 'server' | 'auth' | 'bad-request';

/** A refusal to be worded. */
export interface RefusalDetails {
  readonly kind: Refusal;
  readonly status: number;
  readonly message: string;
  /** Seconds, for 429 and overload. */
  readonly retryAfter: number | undefined;
}

/** One server-sent event. */
export interface SentEvent {
  readonly event?: string;
  readonly data: unknown;
}

/** How one interface speaks. */
export interface Wire {
  /** What the request means. */
  read(body: Record<string, unknown>, path: string): Pick<ProviderRequest, 'model' | 'stream' | 'tools' | 'round'>;
  /** The whole answer. */
  reply(turn: FullTurn, request: ProviderRequest, id: string): unknown;
  /** The answer as a stream. */
  events(turn: FullTurn, request: ProviderRequest, id: string): SentEvent[];
  refuse(details: RefusalDetails): unknown;
  limitHeaders(buckets: AccountBuckets, now: number): Record<string, string>;
}

/** A member of an object that came as JSON. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** A list that came as JSON; anything else is an empty one. */
export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that came as JSON. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Pieces of a text, as a stream brings it. */
export function pieces(whole: string, size = 20): string[] {
  return whole.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? [];
}
