import { createPostgresBackend } from 'bullmq';
import { bullmqOn } from '../redis/bullmq.ts';
import type { Contender } from '../redis/contender.ts';

/** BullMQ on PostgreSQL, with a pool as large as the other peers'. */
export function bullmqOnPostgres(url: string): Promise<Contender> {
  return bullmqOn(createPostgresBackend, { connectionString: url, max: 20, migrate: true });
}
