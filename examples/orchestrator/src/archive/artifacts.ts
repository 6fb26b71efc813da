import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { StoredObject } from '../objects/store.ts';

/** The name of what a run keeps in the object store. */
export type ArtifactKind = 'diff' | 'bundle' | 'session';

/** Rows of a worker that was fenced off meanwhile point to whole objects, and its successor replaces them. */
export async function saveArtifacts(
  db: Kysely<Database>,
  runId: string,
  artifacts: ReadonlyMap<ArtifactKind, StoredObject>,
): Promise<void> {
  const rows = [...artifacts].map(([kind, object]) => ({
    run_id: runId,
    kind,
    object_key: object.key,
    sha256: object.sha256,
    size: object.size,
  }));
  await db
    .insertInto('artifacts')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['run_id', 'kind']).doUpdateSet((eb) => ({
        object_key: eb.ref('excluded.object_key'),
        sha256: eb.ref('excluded.sha256'),
        size: eb.ref('excluded.size'),
      })),
    )
    .execute();
}
