import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProviderApi, ProviderRequest } from './turn.ts';
import type { SentEvent } from './wire.ts';

/** Which interface a request speaks; undefined for what clients ask on the side. */
export function apiOf(method: string, url: string): ProviderApi | undefined {
  const path = url.split('?')[0] ?? '';
  if (method === 'POST' && /\/messages$/.test(path)) return 'anthropic';
  if (method === 'POST' && /\/responses$/.test(path)) return 'openai-responses';
  if (method === 'POST' && /\/chat\/completions$/.test(path)) return 'openai-chat';
  if (method === 'POST' && /:(stream)?[gG]enerateContent$/.test(path)) return 'gemini';
  return /^\/(repos|user|orgs|app|installation|search|graphql|issues)\b/.test(path) ? 'github' : undefined;
}

/** Token counters and model lists that clients ask for on the side. */
export function fallbackBody(url: string): unknown {
  if (url.includes('count_tokens')) return { input_tokens: 1 };
  if (url.includes(':countTokens')) return { totalTokens: 1 };
  return { object: 'list', data: [] };
}

/** The key of a request, wherever its provider wants it. */
export function apiKeyOf({ headers, path }: ProviderRequest): string {
  const bearer = headers.authorization;
  if (typeof bearer === 'string') return bearer.replace(/^Bearer /, '');
  const key = headers['x-api-key'] ?? headers['x-goog-api-key'];
  return typeof key === 'string' ? key : (new URL(path, 'http://x').searchParams.get('key') ?? 'anonymous');
}

/** The whole body of a request. */
export async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** A body as JSON, an absent one as an empty object; undefined when it is none. */
export function parse(raw: string): Record<string, unknown> | undefined {
  if (raw === '') return {};
  try {
    return JSON.parse(raw) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Answers with JSON. */
export function send(outgoing: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  outgoing.writeHead(status, { ...(bytes === undefined ? {} : { 'content-type': 'application/json' }), ...headers });
  outgoing.end(bytes);
}

/** One server-sent event. */
export function encode({ event, data }: SentEvent): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`;
}
