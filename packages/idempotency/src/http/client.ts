import { randomUUID } from 'node:crypto';
import { type Clock, sleep, systemClock } from '../clock.ts';
import { InvalidOptionError } from '../errors.ts';
import { keyHeader } from './key-header.ts';

/** Options of {@link idempotentFetch}. */
export interface IdempotentFetchOptions {
  /** @default the global fetch */
  readonly fetch?: typeof globalThis.fetch;
  /**
   * Attempts of one request, the first included.
   * @default 5
   */
  readonly maxAttempts?: number;
  /**
   * First pause between attempts, in milliseconds; it doubles, with full jitter.
   * @default 200
   */
  readonly firstPause?: number;
  /**
   * Longest pause, in milliseconds; also the longest Retry-After that is waited for: a longer one ends the retries.
   * @default 60000
   */
  readonly longestPause?: number;
  /**
   * Makes the key of a request that brings none.
   * @default a random UUID
   */
  readonly makeKey?: () => string;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: () => number;
}

/** Statuses after which the same request with the same key may still succeed. 422 and every other 4xx never will. */
const retried = new Set([408, 409, 425, 429, 500, 502, 503, 504]);

/** Codes of a 409 that waiting does not change. */
const finalConflicts = new Set(['ERR_IDEMPOTENCY_DUPLICATE', 'ERR_OUTCOME_UNKNOWN', 'ERR_RESPONSE_NOT_STORED']);

/**
 * A `fetch` that makes one key per request and keeps it over its retries, so that a request whose answer was lost is not executed twice.
 * Network errors, 408, 409 (in progress), 425, 429 and 5xx are retried after Retry-After or a jittered pause; the last answer is returned
 * whatever it is, the last network error is thrown. A request with a body that is a stream is sent once.
 *
 * @example
 * ```ts
 * const send = idempotentFetch({ maxAttempts: 5 });
 * const response = await send('https://api.example/v1/orders', { method: 'POST', body: JSON.stringify(order) });
 * ```
 * @throws InvalidOptionError when `maxAttempts` is not at least 1
 */
export function idempotentFetch(options: IdempotentFetchOptions = {}): typeof globalThis.fetch {
  const { maxAttempts = 5, clock = systemClock } = options;
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1) {
    throw new InvalidOptionError('`maxAttempts` must be a whole number from 1 up.');
  }
  const fetch = options.fetch ?? globalThis.fetch;
  return async (input, init) => {
    const prepared = prepare(input, init, options.makeKey ?? randomUUID);
    const attempts = prepared.repeatable ? maxAttempts : 1;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await fetch(input instanceof Request ? input.clone() : input, prepared.init).catch(asFailure);
      prepared.signal?.throwIfAborted();
      const pause = attempt < attempts ? await pauseAfter(answer, attempt, options) : undefined;
      if (pause === undefined) {
        if (answer instanceof Response) return answer;
        throw answer.error;
      }
      // Frees the connection; not awaited, because a copy of the body may still be held by someone who never reads it.
      if (answer instanceof Response) answer.body?.cancel().catch(() => undefined);
      await sleep(clock, pause, prepared.signal);
    }
  };
}

interface Failure {
  readonly error: unknown;
}

const asFailure = (error: unknown): Failure => ({ error });

interface Prepared {
  readonly init: RequestInit;
  readonly signal: AbortSignal | undefined;
  readonly repeatable: boolean;
}

function prepare(input: string | URL | Request, init: RequestInit | undefined, makeKey: () => string): Prepared {
  const request = input instanceof Request ? input : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  // Quoted: a Structured Field string, as the IETF draft asks for.
  if (!headers.has(keyHeader)) headers.set(keyHeader, `"${makeKey()}"`);
  const signal = init?.signal ?? request?.signal ?? undefined;
  return { init: { ...init, headers }, signal, repeatable: !(init?.body instanceof ReadableStream) };
}

/** Milliseconds until the next attempt; undefined when the answer is final. */
async function pauseAfter(
  answer: Response | Failure,
  attempt: number,
  { firstPause = 200, longestPause = 60_000, clock = systemClock, random = Math.random }: IdempotentFetchOptions,
): Promise<number | undefined> {
  const jittered = random() * Math.min(longestPause, firstPause * 2 ** (attempt - 1));
  if (!(answer instanceof Response)) return jittered;
  if (!retried.has(answer.status)) return undefined;
  if (answer.status === 409 && finalConflicts.has(await codeOf(answer))) return undefined;
  const asked = retryAfter(answer.headers.get('retry-after'), clock.now());
  if (asked === undefined) return answer.status === 409 ? undefined : jittered;
  return asked > longestPause ? undefined : asked + jittered;
}

/** Retry-After (RFC 9110 §10.2.3): seconds or a date; as milliseconds from now. */
function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

async function codeOf(response: Response): Promise<string> {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) return '';
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return typeof body === 'object' && body !== null && 'code' in body ? String(body.code) : '';
}
