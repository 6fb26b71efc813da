import { setTimeout as sleep } from 'node:timers/promises';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { LogLine } from '../logs/line.ts';
import type { RunState } from '../runs/states.ts';
import { ProblemError } from './errors.ts';

/** What the event stream of a run tells. `id` is the cursor to resume after. */
export type RunEvent =
  | { readonly kind: 'state'; readonly id: string; readonly data: StateData }
  | { readonly kind: 'log'; readonly id: string; readonly data: { readonly lines: readonly LogLine[] } };

export interface StateData {
  readonly seq: number;
  readonly type: string;
  readonly from: RunState | null;
  readonly state: RunState;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface FollowRunOptions {
  /** Address of the run's events. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Resume after this event. */
  readonly after?: string;
  readonly signal?: AbortSignal;
  /** Told when the connection was lost; the stream goes on by itself. */
  readonly onReconnect?: (error: unknown) => void;
}

/** Milliseconds between two tries to connect. */
const reconnectDelay = 500;

/**
 * The events of a run until its end. A lost connection, or a server that is away for a while, is met by connecting again
 * with the last id: nothing is missing and nothing comes twice.
 *
 * @throws {ProblemError} when the server refuses, for example because there is no such run.
 */
export async function* followEvents(options: FollowRunOptions): AsyncGenerator<RunEvent, void, undefined> {
  let lastId = options.after;
  for (;;) {
    try {
      const response = await connect(options, lastId);
      if (!response) return;
      for await (const event of parse(response)) {
        lastId = event.id;
        yield event;
      }
    } catch (error) {
      if (error instanceof ProblemError || options.signal?.aborted) throw error;
      options.onReconnect?.(error);
      await sleep(reconnectDelay, undefined, options.signal && { signal: options.signal });
    }
  }
}

/** `undefined` when the run has ended and everything was told. */
async function connect(options: FollowRunOptions, lastId: string | undefined): Promise<ReadableStream | undefined> {
  const headers = { ...options.headers, accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) };
  const response = await fetch(options.url, { headers, ...(options.signal && { signal: options.signal }) });
  if (response.status === 204) return undefined;
  if (response.ok && response.body) return response.body;
  const problem = await ProblemError.from(response);
  throw response.status >= 500 ? new Error(problem.message) : problem;
}

async function* parse(body: ReadableStream): AsyncGenerator<RunEvent, void, undefined> {
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { id = '', event, data } of events) {
    if (event === 'state' || event === 'log') yield { kind: event, id, data: JSON.parse(data) } as RunEvent;
  }
}
