import type { QueueAdapter } from './contract/adapter.ts';
import { AdapterUnavailableError, InvalidOptionError } from './errors.ts';

/**
 * Picks the adapter for a URL and loads it: `memory:`, `sqlite://relative/path.db`, `sqlite:///absolute/path.db`, `redis://…`, `rediss://…`,
 * `postgres://…`, `postgresql://…`. What the adapter itself cannot open it says when the queue is opened.
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
      return () => openRemote(() => import('./redis.ts'), 'redisAdapter', url);
    case 'postgres':
    case 'postgresql':
      return () => openRemote(() => import('./postgres.ts'), 'postgresAdapter', url);
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

async function openRemote(load: () => Promise<object>, name: string, url: string): Promise<QueueAdapter> {
  const make: unknown = Reflect.get(await load(), name);
  if (typeof make !== 'function') throw new AdapterUnavailableError(`This version of @millrace/queue has no ${name}.`);
  return make({ url }) as QueueAdapter;
}
