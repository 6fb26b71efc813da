import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import { decodeLines, type LogLine } from './line.ts';

/** Lines that were stored together. */
export interface LogChunk {
  readonly lines: readonly LogLine[];
  readonly storedAt: Date;
}

/** Chunks of a run's log after line `after`, oldest first, at most `limit` chunks. The first may begin in mid-chunk. */
export async function readLogChunks(
  db: Kysely<Database>,
  runId: string,
  after: number,
  limit = 100,
): Promise<LogChunk[]> {
  const rows = await db
    .selectFrom('log_chunks')
    .selectAll()
    .where('run_id', '=', runId)
    .where('seq_to', '>', after)
    .orderBy('seq_from')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    storedAt: row.created_at,
    lines: decodeLines(row.body, row.seq_from).filter((line) => line.seq > after),
  }));
}
