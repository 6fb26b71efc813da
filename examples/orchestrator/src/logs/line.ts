/** Where a log line came from: the agent's two streams, or Millrace itself. */
export type LogStream = 'stdout' | 'stderr' | 'system';

/** One line of a run's log. `seq` counts from 1 per run, without gap, whichever worker wrote the line. */
export interface LogLine {
  readonly seq: number;
  readonly stream: LogStream;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

/** How a line is stored inside a chunk; its number follows from its place. */
export type StoredLine = readonly [stream: LogStream, at: number, text: string];

export function encodeLines(lines: readonly StoredLine[]): Buffer {
  return Buffer.from(JSON.stringify(lines));
}

export function decodeLines(body: Buffer, from: number): LogLine[] {
  return numberLines(JSON.parse(body.toString()) as StoredLine[], from);
}

/** Gives lines that were stored together their numbers. */
export function numberLines(stored: readonly StoredLine[], from: number): LogLine[] {
  return stored.map(([stream, at, text], index) => ({ seq: from + index, stream, at, text }));
}
