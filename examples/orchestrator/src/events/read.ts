import type { RunEventRow } from '../db/schema.ts';
import { type LogChunk, type LogPlaces, readLogChunks } from '../logs/reader.ts';
import { runEventsAfter } from '../runs/store.ts';
import type { Cursor } from './cursor.ts';

const chunkLimit = 100;

/** One thing a reader is told, and the cursor after it. */
export type RunNews =
  | { readonly kind: 'state'; readonly event: RunEventRow; readonly cursor: Cursor }
  | { readonly kind: 'log'; readonly chunk: LogChunk; readonly cursor: Cursor };

/**
 * News of a run after a cursor: events and log lines, each in their order, merged by the time at which they were stored.
 * Events are read first: a worker stores every line before the last event, so whoever has read the last event finds
 * all lines.
 */
export async function readNews(places: LogPlaces, runId: string, after: Cursor): Promise<RunNews[]> {
  const events = await runEventsAfter(places.db, runId, after.event);
  const chunks = await readLogChunks(places, runId, after.line, chunkLimit);
  return [...merge(events, chunks, after)];
}

function* merge(events: RunEventRow[], chunks: LogChunk[], after: Cursor): Generator<RunNews, void, undefined> {
  const moreChunks = chunks.length === chunkLimit;
  let cursor = after;
  for (;;) {
    const event = events[0];
    const chunk = chunks[0];
    if (chunk && !(event && event.created_at < chunk.storedAt)) {
      chunks.shift();
      cursor = { event: cursor.event, line: chunk.lines.at(-1)?.seq ?? cursor.line };
      yield { kind: 'log', chunk, cursor };
    } else if (event && (chunk || !moreChunks)) {
      events.shift();
      cursor = { event: event.seq, line: cursor.line };
      yield { kind: 'state', event, cursor };
    } else return;
  }
}
