import { createHash, randomBytes } from 'node:crypto';
import type { ModelAccess } from '../agents/agent.ts';
import { type ProviderAccount, type ProviderName, providerNames, providerShapes, type Usage } from './providers.ts';
import { type Refusal, refusalIn, refusalOf } from './refusal.ts';
import { createUsageMeter } from './usage.ts';

/** On whose behalf a model is called. */
export interface ModelCaller {
  readonly runId: string;
  readonly tenantId: string;
  readonly provider: ProviderName;
}

/** A run's access to a model, for as long as its agent works. */
export interface ModelLease {
  readonly access: ModelAccess;
  /** What ended the run's access, if something did: it must not go on now. */
  readonly refusal: Refusal | undefined;
  /** Why the latest call failed, if it did for a reason that passes: if the agent gives up, the run waits for that. */
  readonly trouble: Refusal | undefined;
  /** From now on the token is worth nothing. */
  close(): void;
}

/** Calls a provider under the policies of the deployment: limits, budgets, breaker, retries. */
export type ProviderFetch = (request: Request, caller: ModelCaller) => Promise<Response>;

export interface GatewayOptions {
  /** Where this process's gateway is reached by its agents, without a trailing slash. */
  readonly url: () => string;
  readonly accounts: Partial<Readonly<Record<ProviderName, ProviderAccount>>>;
  /** Runs before a caller gets its access; what it returns, when the access ends. @default nothing */
  readonly admit?: (caller: ModelCaller) => Promise<() => void>;
  /** An agent that would have to wait longer than this (milliseconds) is stopped: its place is worth more. */
  readonly parkAfter: number;
  readonly fetch: ProviderFetch;
  /** Told what each call used, once its answer has passed. */
  readonly onUsage: (caller: ModelCaller, model: string, usage: Usage) => void;
}

/** Stands between agents and providers: agents get a token for one run, never the provider's key. */
export interface Gateway {
  readonly providers: readonly ProviderName[];
  /** @throws {RangeError} when there is no account for the provider. */
  open(caller: ModelCaller, onRefusal: (refusal: Refusal) => void): Promise<ModelLease>;
  /** Answers requests below `/gateway/`; `undefined` for all others. */
  handle(request: Request): Promise<Response | undefined>;
}

interface Entry {
  readonly caller: ModelCaller;
  /** Told how each call went. */
  readonly note: (refusal: Refusal | undefined) => void;
}

export function createGateway(options: GatewayOptions): Gateway {
  const entries = new Map<string, Entry>();
  return {
    providers: providerNames.filter((name) => options.accounts[name] !== undefined),
    async open(caller, onRefusal) {
      if (!options.accounts[caller.provider]) throw new RangeError(`There is no account for ${caller.provider}.`);
      const leave = await options.admit?.(caller);
      const token = `mr-${randomBytes(32).toString('base64url')}`;
      let [refusal, trouble]: (Refusal | undefined)[] = [];
      const note = (latest: Refusal | undefined): void => {
        trouble = latest;
        if (!latest || refusal || !endsAccess(latest, options.parkAfter)) return;
        refusal = latest;
        onRefusal(latest);
      };
      entries.set(digest(token), { caller, note });
      return {
        access: { baseUrl: `${options.url()}/gateway/${caller.provider}`, token },
        get refusal() {
          return refusal;
        },
        get trouble() {
          return trouble;
        },
        close() {
          entries.delete(digest(token));
          leave?.();
        },
      };
    },
    async handle(request) {
      const match = /^\/gateway\/([a-z]+)(\/.*)?$/.exec(new URL(request.url).pathname);
      if (!match) return undefined;
      const provider = providerNames.find((name) => name === match[1]);
      const account = provider && options.accounts[provider];
      if (!provider || !account)
        return answer(404, 'ERR_GATEWAY_PROVIDER', 'There is no such provider at this gateway.');
      const entry = entries.get(digest(tokenOf(request, provider)));
      if (entry?.caller.provider !== provider) {
        return answer(401, 'ERR_GATEWAY_TOKEN', 'The token is not one of a run that is under way.');
      }
      const path = match[2] ?? '/';
      if (!providerShapes[provider].allowed.some((pattern) => pattern.test(`${request.method} ${path}`))) {
        return answer(403, 'ERR_GATEWAY_PATH', `Agents may not call ${request.method} ${path}.`);
      }
      return await forward(options, account, entry, request, path);
    },
  };
}

/** Without money there is nothing to wait for; everything else passes, and a short wait is left to the agent. */
function endsAccess({ reason, retryAfter }: Refusal, parkAfter: number): boolean {
  return reason === 'budget' || retryAfter > parkAfter;
}

/** Tokens are kept and compared as digests, so that looking one up takes no time that depends on its text. */
function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function tokenOf(request: Request, provider: ProviderName): string {
  for (const name of providerShapes[provider].keyHeaders) {
    const value = request.headers.get(name);
    if (value) return value.replace(/^Bearer /i, '');
  }
  return new URL(request.url).searchParams.get('key') ?? '';
}

async function forward(
  options: GatewayOptions,
  account: ProviderAccount,
  entry: Entry,
  request: Request,
  path: string,
): Promise<Response> {
  const { caller } = entry;
  const body = request.method === 'POST' ? Buffer.from(await request.arrayBuffer()) : undefined;
  const outgoing = outgoingRequest(account, caller.provider, request, path, body);
  try {
    const response = await options.fetch(outgoing, caller);
    entry.note(refusalIn(response));
    return metered(response, caller, (usage) => options.onUsage(caller, modelOf(path, body), usage));
  } catch (error) {
    entry.note(refusalOf(error));
    return failed(error);
  }
}

/** What belongs to the one connection, or to our side of the gateway, and must not be passed on. */
const privateHeaders = ['host', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'accept-encoding'];

function outgoingRequest(
  account: ProviderAccount,
  provider: ProviderName,
  request: Request,
  path: string,
  body: Buffer | undefined,
): Request {
  const url = new URL(account.baseUrl + path);
  for (const [name, value] of new URL(request.url).searchParams)
    if (name !== 'key') url.searchParams.append(name, value);
  const headers = new Headers(request.headers);
  const { keyHeaders } = providerShapes[provider];
  for (const name of [...privateHeaders, ...keyHeaders]) headers.delete(name);
  const [header = 'authorization'] = keyHeaders;
  headers.set(header, header === 'authorization' ? `Bearer ${account.key}` : account.key);
  return new Request(url, { method: request.method, headers, ...(body && { body }), signal: request.signal });
}

/** Passes the answer on as it comes and reads its usage on the way. */
function metered(response: Response, caller: ModelCaller, onUsage: (usage: Usage) => void): Response {
  const headers = new Headers(response.headers);
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding', 'connection']) headers.delete(name);
  const { status } = response;
  if (!response.ok || !response.body) return new Response(response.body, { status, headers });
  const meter = createUsageMeter(caller.provider, response.headers.get('content-type') ?? '');
  const decoder = new TextDecoder();
  const watch = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      meter.feed(decoder.decode(chunk, { stream: true }));
      controller.enqueue(chunk);
    },
    flush() {
      onUsage(meter.end());
    },
  });
  return new Response(response.body.pipeThrough(watch), { status, headers });
}

function modelOf(path: string, body: Buffer | undefined): string {
  const inPath = /\/models\/([\w.-]+)/.exec(path)?.[1];
  if (inPath) return inPath;
  try {
    const { model } = JSON.parse(body?.toString() ?? '{}') as { model?: unknown };
    return typeof model === 'string' ? model : 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Statuses that make the CLIs do the right thing: 402 ends them, 429 and 503 make them wait. */
const statuses: Readonly<Record<string, number>> = {
  ERR_BUDGET_EXCEEDED: 402,
  ERR_RATE_LIMITED: 429,
  ERR_BULKHEAD_FULL: 429,
  ERR_CIRCUIT_OPEN: 503,
  ERR_TIMEOUT: 504,
};

function failed(error: unknown): Response {
  const {
    code = 'ERR_GATEWAY_UPSTREAM',
    message,
    retryAfter,
  } = error as { code?: string; message: string; retryAfter?: number };
  const response = answer(statuses[code] ?? 502, code, message);
  if (retryAfter !== undefined && Number.isFinite(retryAfter))
    response.headers.set('retry-after', `${Math.ceil(retryAfter / 1000)}`);
  return response;
}

/** One body that reads as an error in the dialects of all three providers. */
function answer(status: number, code: string, message: string): Response {
  return Response.json({ type: 'error', error: { type: code, code: status, message, status: code } }, { status });
}
