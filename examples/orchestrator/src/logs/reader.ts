import type { Kysely } from 'kysely';
import { decodeArchive } from '../archive/format.ts';
import type { Database } from '../db/schema.ts';
import type { ObjectStore } from '../objects/store.ts';
import { decodeLines, type LogLine, numberLines } from './line.ts';

/** Lines that were stored together. */
export interface LogChunk {
  readonly lines: readonly LogLine[];
  readonly storedAt: Date;
}

/** Where logs are: rows while they are young, objects later. */
export interface LogPlaces {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
}

/** Chunks of a run's log after line `after`, oldest first, at most `limit` chunks. The first may begin in mid-chunk. */
export async function readLogChunks(places: LogPlaces, runId: string, after: number, limit = 100): Promise<LogChunk[]> {
  const rows = await places.db
    .selectFrom('log_chunks')
    .selectAll()
    .where('run_id', '=', runId)
    .where('seq_to', '>', after)
    .orderBy('seq_from')
    .limit(limit)
    .execute();
  if (rows.length === 0) return await readArchived(places, runId, after, limit);
  return rows.map((row) => ({
    storedAt: row.created_at,
    lines: decodeLines(row.body, row.seq_from).filter((line) => line.seq > after),
  }));
}

/** Rows go in the transaction that names the object, so whoever finds no rows finds the object, if there was a log. */
async function readArchived(
  { db, objects }: LogPlaces,
  runId: string,
  after: number,
  limit: number,
): Promise<LogChunk[]> {
  const archived = await db
    .selectFrom('artifacts')
    .select('object_key')
    .where('run_id', '=', runId)
    .where('kind', '=', 'log')
    .executeTakeFirst();
  const chunks: LogChunk[] = [];
  if (!archived) return chunks;
  for await (const { from, to, at, lines } of decodeArchive(await objects.get(archived.object_key))) {
    if (to <= after) continue;
    chunks.push({ storedAt: new Date(at), lines: numberLines(lines, from).filter((line) => line.seq > after) });
    if (chunks.length === limit) break;
  }
  return chunks;
}
