import { randomUUID } from 'node:crypto';
import createApi, { type Client as ApiClient } from 'openapi-fetch';
import type { components, paths } from './api.generated.ts';
import { ProblemError } from './errors.ts';
import { type FollowRunOptions, followEvents, type RunEvent } from './events.ts';

export interface ClientOptions {
  /** Where the server listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** API key, where the server asks for one. */
  readonly apiKey?: string;
}

type Schemas = components['schemas'];
export type Run = Schemas['Run'];
export type NewRun = Schemas['NewRun'];
export type NewTask = Schemas['NewTask'];
export type TaskWithRuns = Schemas['TaskWithRuns'];

export interface SubmitOptions {
  /** Idempotency key. @default a new one */
  readonly key?: string;
  /** Answer a duplicate like the first request instead of refusing it. @default false */
  readonly replay?: boolean;
}

/** The HTTP API as functions. Each throws {@link ProblemError} when the server refuses. */
export interface Client {
  /** Every route of the API, typed by its own document; its answers are `{ data, error, response }`. */
  readonly api: ApiClient<paths>;
  submit(run: NewRun, options?: SubmitOptions): Promise<Run>;
  /** A task, with a run for each of its agents. */
  submitTask(task: NewTask, options?: SubmitOptions): Promise<TaskWithRuns>;
  get(id: string): Promise<Run>;
  cancel(id: string): Promise<Run>;
  diff(id: string): Promise<string>;
  events(id: string, options?: Omit<FollowRunOptions, 'url' | 'headers'>): AsyncGenerator<RunEvent, void, undefined>;
}

export function createClient(options: ClientOptions): Client {
  const baseUrl = options.url.replace(/\/$/, '');
  const headers = options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {};
  const api = createApi<paths>({ baseUrl, headers });
  const byId = (id: string) => ({ params: { path: { id } } });
  return {
    api,
    submit: async (body, options) => answer(await api.POST('/v1/runs', { body, params: { header: keyed(options) } })),
    submitTask: async (body, options) =>
      answer(await api.POST('/v1/tasks', { body, params: { header: keyed(options) } })),
    get: async (id) => answer(await api.GET('/v1/runs/{id}', byId(id))),
    cancel: async (id) => answer(await api.POST('/v1/runs/{id}/cancel', byId(id))),
    // An empty body counts as no data.
    diff: async (id) => answer(await api.GET('/v1/runs/{id}/diff', { ...byId(id), parseAs: 'text' })) ?? '',
    events: (id, follow) => followEvents({ url: `${baseUrl}/v1/runs/${id}/events`, headers, ...follow }),
  };
}

function keyed({ key = randomUUID(), replay = false }: SubmitOptions = {}) {
  return { 'idempotency-key': key, ...(replay && { prefer: 'duplicate=replay' }) };
}

/** What the server answered, or what it refused with. */
function answer<T>(result: { readonly data?: T; readonly error?: unknown; readonly response: Response }): T {
  const { data, error, response } = result;
  if (error === undefined && response.ok) return data as T;
  const isProblem = typeof error === 'object' && error !== null;
  const problem = isProblem ? (error as Record<string, unknown>) : { detail: String(error).slice(0, 200) };
  throw new ProblemError(response.status, problem);
}
