import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '../clock.ts';
import { anthropicWire } from './anthropic.ts';
import { AccountBuckets } from './buckets.ts';
import { apiKeyOf, apiOf, encode, fallbackBody, parse, read, send } from './exchange.ts';
import type { FakeProviderOptions, FakeProviderStats, Fault } from './fake-provider.ts';
import { geminiWire } from './gemini.ts';
import { FakeGithub } from './github.ts';
import { openaiChatWire, openaiResponsesWire } from './openai.ts';
import { complete, type FullTurn, type ProviderApi, type ProviderRequest, type Respond, tokensOf } from './turn.ts';
import type { Refusal, Wire } from './wire.ts';

const wires: Readonly<Record<Exclude<ProviderApi, 'github'>, Wire>> = {
  anthropic: anthropicWire,
  'openai-responses': openaiResponsesWire,
  'openai-chat': openaiChatWire,
  gemini: geminiWire,
};

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

/** What a fake provider does with each request. */
export class Engine {
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
    const { githubResource: resource = (path) => ({ path }), githubQuery: query = () => ({ data: {}, points: 1 }) } =
      options;
    this.#github = new FakeGithub(options.github ?? {}, () => this.#clock.now(), { resource, query });
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
    const etag = typeof ifNoneMatch === 'string' ? ifNoneMatch : undefined;
    const answer = this.#github.answer({ method, path, body, ifNoneMatch: etag });
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

function latencyOf({ latency = 0 }: FakeProviderOptions, request: ProviderRequest, turn: FullTurn): number {
  return typeof latency === 'number' ? latency : latency(request, turn);
}
