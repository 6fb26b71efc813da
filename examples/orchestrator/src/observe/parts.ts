import type { Parts } from '../parts.ts';
import { watchRuns } from './runs.ts';

/** Readiness needs the database and the queue; gauges are read when somebody asks for them. */
export function watchParts({ observability, database, queue, config }: Parts): void {
  const { health } = observability;
  health.check('database', async () => void (await database.pool.query('SELECT 1')));
  health.check('queue', async (signal) => void (await queue.inspect.counts({ signal })));
  observability.watchQueue(queue);
  observability.process.watchPool('database', database.pool);
  observability.process.watchDisk('data', config.dataDirectory);
  observability.process.watchReplicas(database.pool);
  if (config.backupMarker !== undefined) observability.process.watchBackup('database', config.backupMarker);
  watchRuns(observability, database.db);
  health.started();
}
