import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { LogChunkRow } from '../db/schema.ts';
import type { StoredLine } from '../logs/line.ts';

/** A chunk as one line of an archived log: the lines as they were stored, with their first number and their time. */
export interface ArchivedChunk {
  readonly from: number;
  readonly to: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly lines: readonly StoredLine[];
}

/** One line of the archive, before it is compressed. */
export function encodeChunk({ seq_from, seq_to, created_at, body }: LogChunkRow): string {
  return `{"from":${seq_from},"to":${seq_to},"at":${created_at.getTime()},"lines":${body.toString()}}\n`;
}

/** Chunks of an archive, in their order. */
export async function* decodeArchive(source: Readable): AsyncGenerator<ArchivedChunk, void, undefined> {
  const gunzip = createGunzip();
  source.once('error', (error) => gunzip.destroy(error));
  const lines = createInterface({ input: source.pipe(gunzip), crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const line of lines) if (line !== '') yield JSON.parse(line) as ArchivedChunk;
  } finally {
    source.destroy();
  }
}
