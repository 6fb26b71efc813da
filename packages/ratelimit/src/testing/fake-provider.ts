import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../clock.ts';
import type { FakeLimits } from './buckets.ts';
import { Engine } from './engine.ts';
import type { FakeGithubLimits } from './github.ts';
import type { FullTurn, ProviderRequest, Respond } from './turn.ts';
import type { Refusal } from './wire.ts';

/** Something that goes wrong on demand. */
export interface Fault {
  /** Status to answer, with the provider's own wording; `cut` ends the connection, in a stream after its first events; `hang` never answers. */
  readonly kind: Refusal | 'cut' | 'hang';
  /** HTTP status. @default by kind: 429, 429, 529 (Anthropic) or 503, 500, 401, 400 */
  readonly status?: number;
  /** Seconds in Retry-After. @default none */
  readonly retryAfter?: number;
  /** Requests that fail. @default 1 */
  readonly times?: number;
  /** Which requests. @default all */
  readonly when?: (request: ProviderRequest) => boolean;
}

/** Options of {@link startFakeProvider}. */
export interface FakeProviderOptions {
  /** What the model says. @default 'Done.' */
  readonly respond?: Respond;
  /** Limits per minute, enforced per API key and model as continuously refilled buckets. @default none */
  readonly limits?: FakeLimits;
  /** GitHub's limits. @default the documented ones */
  readonly github?: FakeGithubLimits;
  /** What a GET of the fake GitHub answers. @default the path itself */
  readonly githubResource?: (path: string) => unknown;
  /** What a query to the fake GitHub's GraphQL answers, and the points that it costs. @default an empty object for 1 point */
  readonly githubQuery?: (query: string) => { readonly data: unknown; readonly points: number };
  /** The part of the quota that somebody else uses all the time, 0 to 1. @default 0 */
  readonly others?: number;
  /** Time of limits and latency; {@link scaledClock} lets an hour pass in minutes. @default systemClock */
  readonly clock?: Clock;
  /** Milliseconds before the first byte. @default 0 */
  readonly latency?: number | ((request: ProviderRequest, turn: FullTurn) => number);
  /** API keys that are accepted. @default any */
  readonly keys?: readonly string[];
}

/** Counts since the start. */
export interface FakeProviderStats {
  readonly requests: number;
  /** Answers by HTTP status. */
  readonly byStatus: Readonly<Record<number, number>>;
  /** Units used and limit of the busiest account, by dimension. */
  readonly used: Readonly<Record<string, number>>;
}

/** A provider on loopback that speaks like the real ones and enforces limits like them. */
export interface FakeProvider extends AsyncDisposable {
  /** Base URL without a path: what `ANTHROPIC_BASE_URL` or `GOOGLE_GEMINI_BASE_URL` take; OpenAI clients want `/v1` behind it. */
  readonly url: string;
  /** Every request, in order. */
  readonly requests: ProviderRequest[];
  stats(): FakeProviderStats;
  /** Lets the next requests fail. */
  fail(fault: Fault): void;
  /** Ends all faults. */
  heal(): void;
  /** Changes what the model says. */
  respond(respond: Respond): void;
  /** Changes the part of the quota that somebody else uses. */
  setOthers(share: number): void;
  close(): Promise<void>;
}

/**
 * Starts a fake of Anthropic Messages, OpenAI Responses and Chat Completions, Gemini generateContent, GitHub REST and GraphQL on a free port of 127.0.0.1.
 *
 * @example
 * ```ts
 * await using provider = await startFakeProvider({ limits: { requests: 50 } });
 * const client = new Anthropic({ baseURL: provider.url, apiKey: 'test' });
 * ```
 */
export async function startFakeProvider(options: FakeProviderOptions = {}): Promise<FakeProvider> {
  const engine = new Engine(options);
  const server = createServer((request, response) => void engine.handle(request, response));
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = (): Promise<void> => closeServer(server);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: engine.requests,
    stats: () => engine.stats(),
    fail: (fault) => engine.faults.push({ fault, left: fault.times ?? 1 }),
    heal: () => engine.faults.splice(0),
    respond: (respond) => engine.setRespond(respond),
    setOthers: (share) => engine.setOthers(share),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
