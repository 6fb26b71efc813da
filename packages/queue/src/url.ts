import type { QueueAdapter } from './contract/adapter.ts';
import { AdapterUnavailableError, InvalidOptionError } from './errors.ts';

/**
 * Picks the adapter for a URL and loads it: `memory:`, `sqlite://relative/path.db`, `sqlite:///absolute/path.db`, `redis://…`, `rediss://…`.
 * What the adapter itself cannot open it says when the queue is opened.
 *
 * @throws AdapterUnavailableError for `postgres://`, which this version does not have
 * @throws InvalidOptionError for any other scheme
 */
export function adapterFor(url: string): () => Promise<QueueAdapter> {
  const scheme = /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'memory':
      return async () => (await import('./memory.ts')).memoryAdapter();
    case 'sqlite': {
      const path = pathOf(url);
      return async () => (await import('./sqlite.ts')).sqliteAdapter({ path });
    }
    case 'redis':
    case 'rediss':
      return async () => (await import('./redis.ts')).redisAdapter({ url });
    case 'postgres':
    case 'postgresql':
      throw new AdapterUnavailableError(
        'A PostgreSQL adapter is not part of this version. Use redis:// or sqlite://, or pass an adapter of your own.',
      );
    default:
      throw new InvalidOptionError(
        `\`url\` must begin with memory:, sqlite:// or redis://; its scheme is ${JSON.stringify(scheme ?? '')}.`,
      );
  }
}

function pathOf(url: string): string {
  const path = decodeURIComponent(url.replace(/^sqlite:(\/\/)?/i, ''));
  if (path !== '') return path;
  throw new InvalidOptionError('`url` must name a file: sqlite://relative/path.db or sqlite:///absolute/path.db.');
}
