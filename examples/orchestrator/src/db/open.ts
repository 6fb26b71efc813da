import { Kysely } from 'kysely';
import pg from 'pg';
import { migrateUp } from './migrate.ts';
import { pipelinedDialect } from './prepared.ts';
import type { Database } from './schema.ts';

/** The database of the orchestrator: one pool, seen through Kysely and, for packages that take one, as itself. */
export interface OpenDatabase extends AsyncDisposable {
  readonly db: Kysely<Database>;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

/** Connects and brings the schema up to date. */
export async function openDatabase(
  url: string,
  poolSize: number,
  onError: (error: Error) => void,
): Promise<OpenDatabase> {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    application_name: 'millrace',
    connectionTimeoutMillis: 10_000,
    pipeline: true,
  });
  let closing = false;
  // The server may end what is left of a connection before the last word of our side has reached it.
  pool.on('error', (error) => closing || onError(error));
  // The pool listens to its idle clients only: one that is lost between two statements of a transaction would be an
  // uncaught exception. Its next statement fails, which is all that whoever has it must know.
  pool.on('connect', (client) => client.on('error', () => {}));
  const db = new Kysely<Database>({ dialect: pipelinedDialect(pool) });
  const close = async (): Promise<void> => {
    closing = true;
    await db.destroy();
  };
  try {
    await migrateUp(db);
  } catch (error) {
    await close();
    throw error;
  }
  return { db, pool, close, [Symbol.asyncDispose]: close };
}
