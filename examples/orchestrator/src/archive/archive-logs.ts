import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { newId } from '../ids.ts';
import type { ObjectStore, StoredObject } from '../objects/store.ts';
import { encodeChunk } from './format.ts';

export interface ArchiveParts {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
  /** Folder for what is on its way. */
  readonly scratch: string;
}

/** Runs whose logs are moved in one round. */
const batch = 50;
/** Chunks read at a time: 64 KiB each at most, so that a long log is never in memory as a whole. */
const page = 100;

/**
 * Moves the logs of runs that ended some time ago (milliseconds) to the object store, compressed. The object is whole
 * before the rows go, in the transaction that names it; a crash in between writes the same object again.
 * @returns how many
 */
export async function archiveLogs(parts: ArchiveParts, after: number): Promise<number> {
  const due = await parts.db
    .selectFrom('runs')
    .select('id')
    .where('finished_at', '<', sql<Date>`now() - make_interval(secs => ${after / 1000})`)
    .where('log_archived_at', 'is', null)
    .orderBy('finished_at')
    .limit(batch)
    .execute();
  for (const { id } of due) await archiveLog(parts, id);
  return due.length;
}

async function archiveLog(parts: ArchiveParts, runId: string): Promise<void> {
  const object = await storeLog(parts, runId);
  await parts.db.transaction().execute(async (tx) => {
    if (object) {
      const row = { run_id: runId, kind: 'log', object_key: object.key, sha256: object.sha256, size: object.size };
      await tx
        .insertInto('artifacts')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await tx.deleteFrom('log_chunks').where('run_id', '=', runId).execute();
    }
    await tx.updateTable('runs').set({ log_archived_at: sql<Date>`now()` }).where('id', '=', runId).execute();
  });
}

/** `undefined` when the run said nothing, or another janitor was faster. */
async function storeLog({ db, objects, scratch }: ArchiveParts, runId: string): Promise<StoredObject | undefined> {
  const first = await chunksAfter(db, runId, 0);
  if (first.length === 0) return undefined;
  await mkdir(scratch, { recursive: true });
  const file = join(scratch, `${runId}.archive-${newId()}`);
  try {
    await pipeline(Readable.from(encoded(db, runId, first)), createGzip(), createWriteStream(file));
    return await objects.putFile(`runs/${runId}/log.jsonl.gz`, file);
  } finally {
    await rm(file, { force: true });
  }
}

async function* encoded(db: Kysely<Database>, runId: string, first: Awaited<ReturnType<typeof chunksAfter>>) {
  for (let rows = first; rows.length > 0; rows = await chunksAfter(db, runId, rows.at(-1)?.seq_to ?? 0)) {
    for (const row of rows) yield encodeChunk(row);
  }
}

async function chunksAfter(db: Kysely<Database>, runId: string, after: number) {
  const chunks = db.selectFrom('log_chunks').selectAll().where('run_id', '=', runId).where('seq_from', '>', after);
  return await chunks.orderBy('seq_from').limit(page).execute();
}

/**
 * Deletes artifacts, archived logs among them, of runs that ended long ago (milliseconds). The object goes first: a crash
 * in between finds it gone the next time.
 * @returns how many
 */
export async function expireArtifacts({ db, objects }: ArchiveParts, after: number): Promise<number> {
  const due = await db
    .selectFrom('artifacts')
    .innerJoin('runs', 'runs.id', 'artifacts.run_id')
    .select(['artifacts.run_id', 'artifacts.kind', 'artifacts.object_key'])
    .where('artifacts.created_at', '<', sql<Date>`now() - make_interval(secs => ${after / 1000})`)
    .where('runs.finished_at', '<', sql<Date>`now() - make_interval(secs => ${after / 1000})`)
    .orderBy('artifacts.created_at')
    .limit(batch)
    .execute();
  for (const { run_id, kind, object_key } of due) {
    await objects.delete(object_key);
    await db.deleteFrom('artifacts').where('run_id', '=', run_id).where('kind', '=', kind).execute();
  }
  return due.length;
}
