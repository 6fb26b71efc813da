import { startPostgres } from '@millrace/test-support';
import pg from 'pg';
import { systemClock } from '../../src/clock.ts';
import type { QueueStorage } from '../../src/index.ts';
import { postgresAdapter } from '../../src/postgres.ts';

/** A queue of its own for a test file, spoken to as the adapter does. */
export interface StorageOfFile {
  readonly pool: pg.Pool;
  readonly storage: QueueStorage;
  stop(): Promise<void>;
}

/** @param connections - the pool's at the most */
export async function startStorage(connections: number): Promise<StorageOfFile> {
  const server = await startPostgres();
  const pool = new pg.Pool({ connectionString: await server.createDatabase(), max: connections });
  // A connection may still be closing when its server stops.
  pool.on('error', () => undefined);
  const options = { queue: 'q', clock: systemClock, random: Math.random };
  const storage = await postgresAdapter({ pool, listen: false }).open(options);
  return {
    pool,
    storage,
    stop: async () => {
      await storage.close();
      await pool.end();
      await server.stop();
    },
  };
}
