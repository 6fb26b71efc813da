import { type Kysely, sql } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database } from '../db/schema.ts';
import { RunFencedError } from '../runs/errors.ts';
import type { Hold } from '../runs/transition.ts';
import { encodeLines, type LogStream, type StoredLine } from './line.ts';

/** Lines wait this long (milliseconds) for company, so that a chatty agent costs ten writes per second, not thousands. */
const flushDelay = 100;
/** Bytes of text that make a chunk at once. */
const chunkBytes = 64 * 1024;

export interface LogWriterOptions {
  readonly db: Kysely<Database>;
  readonly hold: Hold;
  /** Nobody has written lines of this run before. @default false */
  readonly isNew?: boolean;
  /** Bytes of text one run may write; what comes after is dropped, and one line says so. */
  readonly maxBytes: number;
  /** Called after each chunk that was stored. */
  readonly onStored: () => void;
}

/** Appends lines to the log of a run that this worker holds. */
export interface LogWriter {
  /** Resolves when there is room for more; await it before reading on from the agent. */
  write(stream: LogStream, text: string): Promise<void>;
  /**
   * Stores everything written so far.
   * @throws {RunFencedError} when another worker holds the run by now.
   */
  flush(): Promise<void>;
}

/** Opens the log of a run where its last line left off. Take the run first: only then can nobody else add lines. */
export async function createLogWriter(options: LogWriterOptions): Promise<LogWriter> {
  const { maxBytes } = options;
  let { lastSeq, bytes } = options.isNew ? { lastSeq: 0, bytes: 0 } : await position(options);
  let pending: StoredLine[] = [];
  let pendingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let storing: Promise<void> = Promise.resolve();

  const storePending = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (pending.length === 0) return;
    const lines = pending;
    pending = [];
    pendingBytes = 0;
    await storeChunk(options, lastSeq + 1, lines);
    lastSeq += lines.length;
    options.onStored();
  };
  const flush = (): Promise<void> => {
    storing = storing.then(storePending);
    return storing;
  };
  const append = (line: StoredLine): void => {
    pending.push(line);
    pendingBytes += line[2].length;
    bytes += line[2].length;
  };
  const write = async (stream: LogStream, text: string): Promise<void> => {
    if (bytes > maxBytes && stream !== 'system') return;
    append([stream, Date.now(), text]);
    if (bytes > maxBytes && stream !== 'system') {
      append(['system', Date.now(), `The log is longer than ${maxBytes} bytes; the rest is not kept.`]);
    }
    if (pendingBytes >= chunkBytes) return await flush();
    timer ??= setTimeout(() => void flush().catch(() => undefined), flushDelay);
  };
  return { write, flush };
}

async function position({ db, hold }: LogWriterOptions): Promise<{ lastSeq: number; bytes: number }> {
  const row = await db
    .selectFrom('log_chunks')
    .select([
      sql<number>`coalesce(max(seq_to), 0)`.as('lastSeq'),
      sql<string>`coalesce(sum(length(body)), 0)`.as('bytes'),
    ])
    .where('run_id', '=', hold.runId)
    .modifyEnd(sql.raw(prepared))
    .executeTakeFirstOrThrow();
  return { lastSeq: row.lastSeq, bytes: Number(row.bytes) };
}

/**
 * The shared lock on the run's row makes a take-over wait for chunks under way, and chunks that come after it find
 * another fence: numbers are never given twice.
 */
async function storeChunk({ db, hold }: LogWriterOptions, from: number, lines: readonly StoredLine[]): Promise<void> {
  const result = await sql`
    INSERT INTO log_chunks (run_id, seq_from, seq_to, body)
    SELECT id, ${from}::int, ${from + lines.length - 1}::int, ${encodeLines(lines)}::bytea FROM runs
    WHERE id = ${hold.runId} AND dispatch = ${hold.dispatch} AND fence = ${hold.fence} AND finished_at IS NULL
    FOR SHARE ${sql.raw(prepared)}`.execute(db);
  if (result.numAffectedRows !== 1n) throw new RunFencedError(hold.runId);
}
