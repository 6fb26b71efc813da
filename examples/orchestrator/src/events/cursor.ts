/**
 * How far a reader of a run has come: every event up to one number and every log line up to another. Its text is the
 * `id:` of server-sent events, so a client resumes with it on any API process.
 */
export interface Cursor {
  readonly event: number;
  readonly line: number;
}

export const startCursor: Cursor = { event: 0, line: 0 };

export function formatCursor(cursor: Cursor): string {
  return `${cursor.event}-${cursor.line}`;
}

/** `undefined` when the text is not a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,9})-(\d{1,9})$/.exec(text);
  return match ? { event: Number(match[1]), line: Number(match[2]) } : undefined;
}

export function isAhead(position: Cursor, of: Cursor): boolean {
  return position.event > of.event || position.line > of.line;
}
