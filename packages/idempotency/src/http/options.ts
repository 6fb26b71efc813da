import { type Duration, toMilliseconds } from '../duration.ts';
import { InvalidOptionError } from '../errors.ts';
import type { Idempotency } from '../idempotency.ts';
import type { OperationPolicy } from '../options.ts';
import type { Spill } from './recorder.ts';

/** What the HTTP adapters share. `R` is the framework's request. */
export interface HttpOptions<R, Tx = undefined> {
  readonly idempotency: Idempotency<Tx>;
  /** Whose request it is, from its authentication: never a value that the client may choose. */
  readonly tenant: (request: R) => string | Promise<string>;
  /**
   * Name of the operation, e.g. the route's template.
   * @default method and path
   */
  readonly operation?: (request: R) => string;
  /** What differs from the operation's policy for one request, e.g. `duplicates` by a header. */
  readonly policy?: (request: R) => OperationPolicy;
  /**
   * Methods that take a key; others pass untouched.
   * @default ['POST', 'PATCH']
   */
  readonly methods?: readonly string[];
  /**
   * Answer 400 when the key is missing; otherwise such requests pass unprotected.
   * @default true
   */
  readonly required?: boolean;
  /**
   * Accept only a quoted Structured Field string (`"k1"`), as the IETF draft says; otherwise a bare token (`k1`) too.
   * @default false
   */
  readonly strict?: boolean;
  /** Which statuses are kept and replayed; after another one the next request executes again. @default < 500 but 408, 425, 429 */
  readonly storable?: (status: number) => boolean;
  /** More response headers to keep and replay, besides the safe defaults. Never credentials, cookies or connection headers. */
  readonly headers?: readonly string[];
  /** Request headers that are part of the input, e.g. `['accept']`. @default none */
  readonly fingerprintHeaders?: readonly string[];
  /**
   * Largest response body kept in the store, in bytes; a larger one goes to `spill`, or is not kept (its duplicate gets 409).
   * @default 262144
   */
  readonly maxStoredBytes?: number;
  /**
   * Largest request body, in bytes; a larger one gets 413.
   * @default 1048576
   */
  readonly maxRequestBytes?: number;
  /** Where larger bodies go, e.g. an object store. */
  readonly spill?: Spill;
  /**
   * What is kept of streamed responses (`text/event-stream`): the body as it was sent (`store`), or that it happened (`status`).
   * @default 'status'
   */
  readonly streams?: 'store' | 'status';
  /**
   * How long a handler may go on after its client left, before the key is freed for a retry.
   * @default '1m'
   */
  readonly disconnectGrace?: Duration;
}

/** Options with every default filled in. */
export interface HttpSettings<R> {
  readonly idempotency: Idempotency<never>;
  readonly tenant: HttpOptions<R>['tenant'];
  readonly operation: HttpOptions<R>['operation'];
  readonly policy: (request: R) => OperationPolicy;
  readonly methods: ReadonlySet<string>;
  readonly required: boolean;
  readonly strict: boolean;
  readonly storable: (status: number) => boolean;
  readonly headers: ReadonlySet<string>;
  readonly fingerprintHeaders: readonly string[];
  readonly maxStoredBytes: number;
  readonly maxRequestBytes: number;
  readonly spill: Spill | undefined;
  readonly streams: 'store' | 'status';
  readonly disconnectGrace: number;
}

/** Headers that describe the answer itself and stay true when it is repeated. */
const replayedHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'etag',
  'last-modified',
  'link',
  'location',
];

/** Headers that belong to one exchange or one person; replaying them would leak or lie. */
const neverReplayed = new Set([
  'authorization',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'set-cookie',
  'set-cookie2',
  'te',
  'trailer',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
]);

/** 5xx may pass, 408, 425 and 429 say "again, later": repeating them from the store would make them last. */
const defaultStorable = (status: number): boolean => status < 500 && ![408, 425, 429].includes(status);

/** @throws InvalidOptionError, InvalidDurationError */
export function httpSettings<R, Tx>(options: HttpOptions<R, Tx>): HttpSettings<R> {
  if (!options.idempotency) throw new InvalidOptionError('`idempotency` is missing: pass createIdempotency(…).');
  if (typeof options.tenant !== 'function') {
    throw new InvalidOptionError(
      '`tenant` is missing: say whose request it is, or clients will see the responses of others.',
    );
  }
  const more = (options.headers ?? []).map((name) => name.toLowerCase());
  const refused = more.find((name) => neverReplayed.has(name));
  if (refused) throw new InvalidOptionError(`The header ${refused} belongs to one exchange and is never replayed.`);
  return {
    idempotency: options.idempotency as Idempotency<never>,
    tenant: options.tenant,
    operation: options.operation,
    policy: options.policy ?? (() => ({})),
    methods: new Set((options.methods ?? ['POST', 'PATCH']).map((method) => method.toUpperCase())),
    required: options.required ?? true,
    strict: options.strict ?? false,
    storable: options.storable ?? defaultStorable,
    headers: new Set([...replayedHeaders, ...more]),
    fingerprintHeaders: (options.fingerprintHeaders ?? []).map((name) => name.toLowerCase()),
    maxStoredBytes: options.maxStoredBytes ?? 262_144,
    maxRequestBytes: options.maxRequestBytes ?? 1_048_576,
    spill: options.spill,
    streams: options.streams ?? 'status',
    disconnectGrace: toMilliseconds(options.disconnectGrace ?? '1m', 'disconnectGrace'),
  };
}
