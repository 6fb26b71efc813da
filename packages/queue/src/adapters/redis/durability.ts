import { StoreUnavailableError } from '../../errors.ts';
import type { ServerFacts } from './checks.ts';
import type { RedisClient } from './client.ts';
import type { RedisSettings } from './options.ts';

/**
 * Waits after a write until disk and replicas have it (Redis: WAITAOF, WAIT). Nothing to do unless asked for.
 * A wait that falls short is an error although the jobs may be stored: enqueueing them again, with the same ids, is harmless.
 *
 * @throws StoreUnavailableError
 */
export function createPersist(
  client: RedisClient,
  { durability, replicas, waitTimeout }: RedisSettings,
  { waitsForDisk }: ServerFacts,
): () => Promise<void> {
  if (durability === 'server') return async () => undefined;
  return async () => {
    const acknowledged = waitsForDisk
      ? ((await client.call('WAITAOF', 1, replicas, waitTimeout)) as readonly [number, number])
      : ([1, Number(await client.call('WAIT', replicas, waitTimeout))] as const);
    if (acknowledged[0] >= 1 && acknowledged[1] >= replicas) return;
    throw new StoreUnavailableError(
      `Redis stored the jobs, but within ${waitTimeout} ms only ${acknowledged[1]} of ${replicas} replicas and ${acknowledged[0]} of 1 disks had them.`,
      { retryAfter: waitTimeout },
    );
  };
}
