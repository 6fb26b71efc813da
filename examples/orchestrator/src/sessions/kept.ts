import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Kysely, sql } from 'kysely';
import { saveArtifacts } from '../archive/artifacts.ts';
import type { Database } from '../db/schema.ts';
import type { ObjectStore } from '../objects/store.ts';
import { RunFailure } from '../runs/errors.ts';
import type { Hold } from '../runs/transition.ts';
import { packSession, type SessionBounds, type SessionPlace, unpackSession } from './archive.ts';

/** What is kept of one run's session. */
const bounds: SessionBounds = { bytes: 16 * 2 ** 20, files: 1000 };

export interface SessionKeeper {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
}

/** Whose session: those of other tenants, and of other agents, do not exist. */
export interface SessionName {
  readonly tenantId: string;
  /** Type of the agent. */
  readonly agent: string;
  readonly sessionId: string;
}

/** Where the latest state of a session is kept. */
export async function findSession(
  db: Kysely<Database>,
  { tenantId, agent, sessionId }: SessionName,
): Promise<string | undefined> {
  const run = await db
    .selectFrom('runs')
    .innerJoin('artifacts', 'artifacts.run_id', 'runs.id')
    .select('artifacts.object_key')
    .where('runs.tenant_id', '=', tenantId)
    .where('runs.session_id', '=', sessionId)
    .where(sql<boolean>`runs.agent ->> 'type' = ${agent}`)
    .where('artifacts.kind', '=', 'session')
    .orderBy('runs.created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return run?.object_key;
}

/**
 * Keeps what an agent remembers, so that another run can go on from it on another worker. The fence in the key keeps a
 * worker that lost the run from writing over what its successor stored.
 *
 * @param temporary - a folder for what is on its way
 * @throws {SessionTooLargeError}
 */
export async function keepSession(
  { db, objects }: SessionKeeper,
  { runId, dispatch, fence }: Hold,
  place: SessionPlace,
  secrets: readonly string[],
  temporary: string,
): Promise<void> {
  const file = join(temporary, 'session.jsonl.gz');
  if ((await packSession(place, secrets, bounds, file)) === 0) return;
  const object = await objects.putFile(`runs/${runId}/${dispatch}-${fence}/session.jsonl.gz`, file);
  await saveArtifacts(db, runId, new Map([['session', object]]));
}

/** @throws {RunFailure} when nothing is kept under this name any longer. */
export async function restoreSession(
  { db, objects }: SessionKeeper,
  name: SessionName,
  place: SessionPlace,
  temporary: string,
): Promise<void> {
  const key = await findSession(db, name);
  if (key === undefined) {
    const message = `The session ${name.sessionId} is kept no longer; submit the run without it.`;
    throw new RunFailure('ERR_SESSION_LOST', message);
  }
  const file = join(temporary, 'session.jsonl.gz');
  await pipeline(await objects.get(key), createWriteStream(file));
  await unpackSession(file, place);
}
