import { type ProviderCall, parseJson } from './preset.ts';

/** A call as `fetch` got it, readable by presets and repeatable by `retry`. */
export interface FetchCall extends ProviderCall {
  readonly target: string;
  readonly init: RequestInit;
  readonly signal: AbortSignal | undefined;
  /** A body that is a stream can be sent once. */
  readonly repeatable: boolean;
}

/** Reads the arguments of `fetch`. */
export async function readCall(input: string | URL | Request, init: RequestInit = {}): Promise<FetchCall> {
  const request = input instanceof Request ? input : undefined;
  const body = init.body ?? (request === undefined ? undefined : await request.clone().text());
  const headers = new Headers(init.headers ?? request?.headers);
  const target = request?.url ?? String(input);
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
  const text = textOf(body);
  return {
    method,
    url: new URL(target),
    headers,
    body: jsonOf(text),
    bodyLength: text?.length ?? 0,
    target,
    init: { ...init, method, headers, ...(body === undefined || body === '' ? {} : { body }) } as RequestInit,
    signal: init.signal ?? request?.signal ?? undefined,
    repeatable: !(body instanceof ReadableStream),
  };
}

function textOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : undefined;
}

function jsonOf(text: string | undefined): Record<string, unknown> {
  const parsed = text === undefined ? undefined : parseJson(text);
  return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
}
