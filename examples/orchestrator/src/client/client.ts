import { randomUUID } from 'node:crypto';
import type { NewRunInput } from '../http/schemas.ts';
import type { RunView } from '../http/view.ts';
import { ProblemError } from './errors.ts';
import { type FollowRunOptions, followEvents, type RunEvent } from './events.ts';

export interface ClientOptions {
  /** Where the server listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** API key, where the server asks for one. */
  readonly apiKey?: string;
}

/** The HTTP API as functions. Each throws {@link ProblemError} when the server refuses. */
export interface Client {
  /** @param key idempotency key. @default a new one */
  submit(run: NewRunInput, options?: { readonly key?: string; readonly replay?: boolean }): Promise<RunView>;
  get(id: string): Promise<RunView>;
  cancel(id: string): Promise<RunView>;
  diff(id: string): Promise<string>;
  events(id: string, options?: Omit<FollowRunOptions, 'url' | 'headers'>): AsyncGenerator<RunEvent, void, undefined>;
}

export function createClient(options: ClientOptions): Client {
  const base = options.url.replace(/\/$/, '');
  const authorization = options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {};

  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(base + path, { ...init, headers: { ...authorization, ...init.headers } });
    if (!response.ok) throw await ProblemError.from(response);
    return response;
  };
  const json = async (path: string, init?: RequestInit) => (await (await request(path, init)).json()) as RunView;
  return {
    submit: (run, { key = randomUUID(), replay = false } = {}) =>
      json('/v1/runs', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': key,
          ...(replay && { prefer: 'duplicate=replay' }),
        },
        body: JSON.stringify(run),
      }),
    get: (id) => json(`/v1/runs/${id}`),
    cancel: (id) => json(`/v1/runs/${id}/cancel`, { method: 'POST' }),
    diff: async (id) => await (await request(`/v1/runs/${id}/diff`)).text(),
    events: (id, follow) => followEvents({ url: `${base}/v1/runs/${id}/events`, headers: authorization, ...follow }),
  };
}
