import type { QueueAdapter } from './contract/adapter.ts';
import { InvalidOptionError } from './errors.ts';

/**
 * Picks the adapter for a URL and loads it: `memory:`, `sqlite://relative/path.db`, `sqlite:///absolute/path.db`, `redis://…`, `rediss://…`,
 * `postgres://…`.
 * What the adapter itself cannot open it says when the queue is opened.
 *
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
      return async () => (await import('./postgres.ts')).postgresAdapter({ url });
    default:
      throw new InvalidOptionError(
        `\`url\` must begin with memory:, sqlite://, redis:// or postgres://; its scheme is ${JSON.stringify(scheme ?? '')}.`,
      );
  }
}

function pathOf(url: string): string {
  const path = decodeURIComponent(url.replace(/^sqlite:(\/\/)?/i, ''));
  if (path !== '') return path;
  throw new InvalidOptionError('`url` must name a file: sqlite://relative/path.db or sqlite:///absolute/path.db.');
}
