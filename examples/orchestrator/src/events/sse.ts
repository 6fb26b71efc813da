import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { isTerminal } from '../runs/states.ts';
import { type Cursor, formatCursor } from './cursor.ts';
import type { EventHub } from './hub.ts';
import { type RunNews, readNews } from './read.ts';

/** Milliseconds between comments on an idle stream: proxies and clients see that it lives. */
const heartbeat = 15_000;
/** Milliseconds a client waits before it connects again. */
const reconnectDelay = 1000;

export interface FollowOptions {
  readonly db: Kysely<Database>;
  readonly hub: EventHub;
  readonly runId: string;
  readonly after: Cursor;
  readonly signal: AbortSignal;
}

/**
 * Everything that happens to a run after a cursor, as the text of server-sent events, until the run has ended and all
 * of it was told. Nothing is read ahead of a slow client: it pulls, and its backlog stays in the database.
 */
export async function* followRun(options: FollowOptions): AsyncGenerator<string, void, undefined> {
  const { db, hub, runId, signal } = options;
  let cursor = options.after;
  yield `retry: ${reconnectDelay}\n\n`;
  while (!signal.aborted) {
    const news = await readNews(db, runId, cursor);
    for (const item of news) {
      yield frame(item);
      cursor = item.cursor;
      if (item.kind === 'state' && isTerminal(item.event.to_state)) return;
    }
    if (news.length > 0) continue;
    const before = Date.now();
    await hub.wait(runId, cursor, heartbeat, signal);
    if (Date.now() - before >= heartbeat) yield ': still here\n\n';
  }
}

function frame(item: RunNews): string {
  const data = item.kind === 'log' ? { lines: item.chunk.lines } : eventData(item);
  return `id: ${formatCursor(item.cursor)}\nevent: ${item.kind}\ndata: ${JSON.stringify(data)}\n\n`;
}

function eventData({ event }: RunNews & { kind: 'state' }): object {
  return {
    seq: event.seq,
    type: event.type,
    from: event.from_state,
    state: event.to_state,
    at: event.created_at.toISOString(),
    data: event.data,
  };
}

/**
 * A response that pulls its text from a generator, one piece at a time. `leave` is called once, however the stream ends.
 */
export function eventStream(
  source: AsyncGenerator<string, void, undefined>,
  stop: () => void,
  leave: () => void,
): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await source.next();
        if (!next.done) return controller.enqueue(encoder.encode(next.value));
        controller.close();
        leave();
      } catch (error) {
        leave();
        throw error;
      }
    },
    async cancel() {
      stop();
      leave();
      await source.return();
    },
  });
  const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };
  return new Response(body, { headers });
}
