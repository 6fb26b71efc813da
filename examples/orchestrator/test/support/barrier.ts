import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@millrace/test-support';
import pg from 'pg';

const lock = 4242;

/**
 * Stops an orchestrator at an exact point: a trigger makes one statement wait for an advisory lock that the test holds.
 * Nothing of the product knows about it.
 */
export interface Barrier extends AsyncDisposable {
  readonly client: pg.Client;
  /** Resolves when somebody waits at the barrier. */
  reached(): Promise<void>;
  /** Ends whoever waits, as the database does when it notices that the process is gone, and takes the barrier away. */
  remove(): Promise<void>;
}

/** Waits in the transaction that would move a run out of `state`: the state, and all that was done in it, is there. */
export async function barrierLeaving(database: string, state: string): Promise<Barrier> {
  return await barrier(database, `BEFORE INSERT ON run_events FOR EACH ROW WHEN (NEW.from_state = '${state}')`);
}

/** Waits after the queue accepted a run, before the outbox row is gone. */
export async function barrierInOutbox(database: string): Promise<Barrier> {
  return await barrier(database, 'BEFORE DELETE ON outbox FOR EACH ROW');
}

async function barrier(database: string, when: string): Promise<Barrier> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1)', [lock]);
  await client.query(`
    CREATE OR REPLACE FUNCTION test_barrier() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(${lock});
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
      END $$;
    CREATE TRIGGER test_barrier ${when} EXECUTE FUNCTION test_barrier();
  `);
  const waiting = async (): Promise<number[]> => {
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted`,
      [lock],
    );
    return rows.map((row) => row.pid);
  };
  let removed = false;
  const remove = async (): Promise<void> => {
    if (removed) return;
    removed = true;
    for (const pid of await waiting()) await client.query('SELECT pg_terminate_backend($1)', [pid]);
    await waitFor(async () => (await waiting()).length === 0);
    const table = (
      await client.query<{ name: string }>(
        `SELECT tgrelid::regclass::text AS name FROM pg_trigger WHERE tgname = 'test_barrier'`,
      )
    ).rows[0]?.name;
    await client.query(`DROP TRIGGER test_barrier ON ${table}`);
    await client.end();
  };
  return {
    client,
    reached: async () => void (await waitFor(async () => (await waiting()).length > 0, { timeout: 120_000 })),
    remove,
    [Symbol.asyncDispose]: remove,
  };
}

/** The URL of the embedded PostgreSQL below a data directory. */
export async function embeddedUrl(dataDirectory: string): Promise<string> {
  const folder = join(dataDirectory, 'postgres');
  const password = await readFile(join(folder, 'password'), 'utf8');
  const pidFile = await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8');
  return `postgres://millrace:${password.trim()}@127.0.0.1:${pidFile.split('\n')[3]}/postgres`;
}
