import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../clock.ts';
import { anthropicWire } from './anthropic.ts';
import { AccountBuckets, type FakeLimits } from './buckets.ts';
import { geminiWire } from './gemini.ts';
import { FakeGithub, type FakeGithubLimits } from './github.ts';
import { openaiChatWire, openaiResponsesWire } from './openai.ts';
import { complete, type FullTurn, type ProviderApi, type ProviderRequest, type Respond, tokensOf } from './turn.ts';
import type { Refusal, SentEvent, Wire } from './wire.ts';

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

const wires: Readonly<Record<Exclude<ProviderApi, 'github'>, Wire>> = {
  anthropic: anthropicWire,
  'openai-responses': openaiResponsesWire,
  'openai-chat': openaiChatWire,
  gemini: geminiWire,
};

/**
 * Starts a fake of Anthropic Messages, OpenAI Responses and Chat Completions, Gemini generateContent and GitHub REST on a free port of 127.0.0.1.
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

interface ActiveFault {
  readonly fault: Fault;
  left: number;
}

const statusOfRefusal: Readonly<Record<Refusal, number>> = {
  'rate-limit': 429,
  quota: 429,
  overloaded: 503,
  server: 500,
  auth: 401,
  'bad-request': 400,
};

class Engine {
  readonly requests: ProviderRequest[] = [];
  readonly faults: ActiveFault[] = [];
  readonly #options: FakeProviderOptions;
  readonly #clock: Clock;
  readonly #accounts = new Map<string, AccountBuckets>();
  readonly #github: FakeGithub;
  readonly #byStatus: Record<number, number> = {};
  #respond: Respond;
  #others: number;

  constructor(options: FakeProviderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#respond = options.respond ?? (() => ({}));
    this.#others = options.others ?? 0;
    const resource = options.githubResource ?? ((path) => ({ path }));
    this.#github = new FakeGithub(options.github ?? {}, () => this.#clock.now(), resource);
  }

  setRespond(respond: Respond): void {
    this.#respond = respond;
  }

  setOthers(share: number): void {
    this.#others = share;
  }

  stats(): FakeProviderStats {
    const used: Record<string, number> = {};
    for (const account of this.#accounts.values()) {
      for (const name of ['requests', 'input', 'output'] as const) {
        const bucket = account[name];
        if (bucket !== undefined) used[name] = Math.max(used[name] ?? 0, bucket.used);
      }
    }
    return { requests: this.requests.length, byStatus: { ...this.#byStatus }, used };
  }

  async handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming;
    outgoing.on('finish', () => {
      this.#byStatus[outgoing.statusCode] = (this.#byStatus[outgoing.statusCode] ?? 0) + 1;
    });
    const raw = await read(incoming);
    const api = apiOf(method, url);
    if (api === undefined) return send(outgoing, method === 'HEAD' || url === '/' ? 200 : 404, {}, fallbackBody(url));
    const body = parse(raw);
    if (body === undefined) return send(outgoing, 400, {}, { error: { message: 'The body is not JSON.' } });
    const meaning = api === 'github' ? { model: '', stream: false, tools: [], round: 0 } : wires[api].read(body, url);
    const request: ProviderRequest = {
      api,
      method,
      path: url,
      headers: incoming.headers,
      body,
      at: this.#clock.now(),
      ...meaning,
    };
    this.requests.push(request);
    if (await this.#faulty(request, outgoing)) return;
    if (api === 'github') await this.#answerGithub(request, outgoing);
    else await this.#answerModel(wires[api], request, outgoing, tokensOf(raw));
  }

  async #answerModel(
    wire: Wire,
    request: ProviderRequest,
    outgoing: ServerResponse,
    inputEstimate: number,
  ): Promise<void> {
    const key = apiKeyOf(request);
    if (this.#options.keys !== undefined && !this.#options.keys.includes(key)) {
      return this.#refuse(wire, outgoing, 'auth', 401, undefined);
    }
    const id = randomUUID().replaceAll('-', '').slice(0, 24);
    let calls = 0;
    const turn = complete(await this.#respond(request), inputEstimate, () => `${id.slice(0, 20)}${calls++}`);
    const buckets = this.#account(`${key}/${request.model}`);
    const blocked = buckets.admit(turn.usage.input - turn.usage.cacheRead);
    const headers = (): Record<string, string> => wire.limitHeaders(buckets, this.#clock.now());
    if (blocked !== undefined) {
      return this.#refuse(wire, outgoing, 'rate-limit', 429, Math.ceil(blocked.waitMs / 1000), headers());
    }
    await this.#pause(latencyOf(this.#options, request, turn));
    buckets.output?.take(turn.usage.output);
    if (!request.stream) return send(outgoing, 200, headers(), wire.reply(turn, request, id));
    outgoing.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...headers() });
    for (const event of wire.events(turn, request, id)) outgoing.write(encode(event));
    outgoing.end();
  }

  async #answerGithub(request: ProviderRequest, outgoing: ServerResponse): Promise<void> {
    const { method, path, body, headers } = request;
    this.#github.inFlight += 1;
    const ifNoneMatch = headers['if-none-match'];
    const answer = this.#github.answer(method, path, body, typeof ifNoneMatch === 'string' ? ifNoneMatch : undefined);
    await this.#pause(
      latencyOf(
        this.#options,
        request,
        complete({}, 0, () => ''),
      ),
    );
    this.#github.inFlight -= 1;
    send(outgoing, answer.status, answer.headers, answer.body);
  }

  async #faulty(request: ProviderRequest, outgoing: ServerResponse): Promise<boolean> {
    const active = this.faults.find(({ fault, left }) => left > 0 && (fault.when?.(request) ?? true));
    if (active === undefined) return false;
    active.left -= 1;
    const { kind, status, retryAfter } = active.fault;
    if (kind === 'hang') return true;
    if (kind === 'cut') {
      await this.#cut(request, outgoing);
      return true;
    }
    const usual = kind === 'overloaded' && request.api === 'anthropic' ? 529 : statusOfRefusal[kind];
    const wire = request.api === 'github' ? undefined : wires[request.api];
    this.#refuse(wire, outgoing, kind, status ?? usual, retryAfter);
    return true;
  }

  async #cut(request: ProviderRequest, outgoing: ServerResponse): Promise<void> {
    if (request.stream && request.api !== 'github') {
      const [first] = wires[request.api].events(
        complete({ text: 'half an' }, 1, () => 'x'),
        request,
        'cut',
      );
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      if (first !== undefined) outgoing.write(encode(first));
      await this.#pause(10);
    }
    outgoing.destroy();
  }

  #refuse(
    wire: Wire | undefined,
    outgoing: ServerResponse,
    kind: Refusal,
    status: number,
    retryAfter: number | undefined,
    headers: Record<string, string> = {},
  ): void {
    const message = `The fake provider refuses (${kind}).`;
    const body = wire?.refuse({ kind, status, message, retryAfter }) ?? { message };
    send(
      outgoing,
      status,
      retryAfter === undefined ? headers : { ...headers, 'retry-after': String(retryAfter) },
      body,
    );
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, ms));
  }

  #account(name: string): AccountBuckets {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const buckets = new AccountBuckets(
      this.#options.limits ?? {},
      60_000,
      () => this.#clock.monotonic(),
      () => this.#others,
    );
    this.#accounts.set(name, buckets);
    return buckets;
  }
}

function apiOf(method: string, url: string): ProviderApi | undefined {
  const path = url.split('?')[0] ?? '';
  if (method === 'POST' && /\/messages$/.test(path)) return 'anthropic';
  if (method === 'POST' && /\/responses$/.test(path)) return 'openai-responses';
  if (method === 'POST' && /\/chat\/completions$/.test(path)) return 'openai-chat';
  if (method === 'POST' && /:(stream)?[gG]enerateContent$/.test(path)) return 'gemini';
  return /^\/(repos|user|orgs|app|installation|search|graphql|issues)\b/.test(path) ? 'github' : undefined;
}

/** Token counters and model lists that clients ask for on the side. */
function fallbackBody(url: string): unknown {
  if (url.includes('count_tokens')) return { input_tokens: 1 };
  if (url.includes(':countTokens')) return { totalTokens: 1 };
  return { object: 'list', data: [] };
}

function apiKeyOf({ headers, path }: ProviderRequest): string {
  const bearer = headers.authorization;
  if (typeof bearer === 'string') return bearer.replace(/^Bearer /, '');
  const key = headers['x-api-key'] ?? headers['x-goog-api-key'];
  return typeof key === 'string' ? key : (new URL(path, 'http://x').searchParams.get('key') ?? 'anonymous');
}

function latencyOf({ latency = 0 }: FakeProviderOptions, request: ProviderRequest, turn: FullTurn): number {
  return typeof latency === 'number' ? latency : latency(request, turn);
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function parse(raw: string): Record<string, unknown> | undefined {
  if (raw === '') return {};
  try {
    return JSON.parse(raw) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function send(outgoing: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  outgoing.writeHead(status, { ...(bytes === undefined ? {} : { 'content-type': 'application/json' }), ...headers });
  outgoing.end(bytes);
}

function encode({ event, data }: SentEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`;
}
