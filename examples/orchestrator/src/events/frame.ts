import type { RunState } from '../runs/states.ts';
import { type Cursor, formatCursor } from './cursor.ts';
import type { RunNews } from './read.ts';

/** One server-sent event as it goes over the wire, and the cursor of a reader that has it. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly cursor: Cursor;
  /** The state that it tells of. */
  readonly state?: RunState;
}

export function encodeNews(news: readonly RunNews[]): Frame[] {
  return news.map((item) => ({
    bytes: Buffer.from(text(item)),
    cursor: item.cursor,
    ...(item.kind === 'state' && { state: item.event.to_state }),
  }));
}

function text(item: RunNews): string {
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
