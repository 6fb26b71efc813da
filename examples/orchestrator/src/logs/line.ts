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
  const stored = JSON.parse(body.toString()) as StoredLine[];
  return stored.map(([stream, at, text], index) => ({ seq: from + index, stream, at, text }));
}
