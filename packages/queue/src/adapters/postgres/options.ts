import { InvalidOptionError } from '../../errors.ts';
import type { SqlPool } from './client.ts';

/** Options of {@link postgresAdapter}. Either `url` or `pool`. */
export interface PostgresAdapterOptions {
  /**
   * `postgres://user:password@host:5432/database`, with what `pg` takes in its query (`?sslmode=verify-full`).
   * Options can stand there too: `?schema=jobs&durability=strict&migrate=false&listen=false`.
   */
  readonly url?: string;
  /** A pool of `pg` that you keep and close yourself, or anything with `query(text, values)` and perhaps `connect()`. */
  readonly pool?: SqlPool;
  /** Schema of the tables, created by `migrate()`. The functions stand beside it, in `<schema>_f2`. @default 'millrace' */
  readonly schema?: string;
  /**
   * `accepted`: what was enqueued is on the disk (and on the synchronous standby); the claims and acknowledgements of the last moments may be undone by a
   * crash of the server, and those jobs run again. `strict`: every call waits for the disk. @default 'accepted'
   */
  readonly durability?: 'accepted' | 'strict';
  /** Create or update tables when a queue is opened. False: `migrate()` or the printed SQL is run by you, and an old layout is refused. @default true */
  readonly migrate?: boolean;
  /** Keep one connection listening for hints. Turn it off behind PgBouncer in transaction mode: hints then stay inside a process and others poll. @default true */
  readonly listen?: boolean;
}

/** Options, complete. */
export interface PostgresSettings extends Required<Omit<PostgresAdapterOptions, 'pool'>> {
  readonly pool: SqlPool | undefined;
}

/** @throws InvalidOptionError */
export function readOptions(options: PostgresAdapterOptions): PostgresSettings {
  if ((options.url === undefined) === (options.pool === undefined)) {
    throw new InvalidOptionError('postgresAdapter() needs either `url` or `pool`.');
  }
  const { url, query } = readUrl(options.url);
  const given = { ...query, ...options };
  const settings: PostgresSettings = {
    url,
    pool: options.pool,
    schema: given.schema ?? 'millrace',
    durability: given.durability ?? 'accepted',
    migrate: given.migrate ?? true,
    listen: given.listen ?? true,
  };
  checkSchema(settings.schema);
  if (settings.durability !== 'accepted' && settings.durability !== 'strict') {
    throw new InvalidOptionError(
      `\`durability\` must be 'accepted' or 'strict'; it is ${JSON.stringify(settings.durability)}.`,
    );
  }
  return settings;
}

/** @throws InvalidOptionError */
export function checkSchema(schema: string): void {
  if (/^[a-z_][a-z0-9_]{0,55}$/.test(schema)) return;
  throw new InvalidOptionError(
    `\`schema\` must be 1 to 56 small letters, digits and "_", not beginning with a digit; it is ${JSON.stringify(schema)}.`,
  );
}

/** Takes our options out of the query; what is left is `pg`'s. */
function readUrl(text: string | undefined): { readonly url: string; readonly query: Partial<PostgresAdapterOptions> } {
  if (text === undefined) return { url: '', query: {} };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new InvalidOptionError('`url` must look like postgres://user:password@host:5432/database.');
  }
  const take = (name: string): string | undefined => {
    const value = url.searchParams.get(name) ?? undefined;
    url.searchParams.delete(name);
    return value;
  };
  const [schema, durability, migrate, listen] = [take('schema'), take('durability'), take('migrate'), take('listen')];
  const query = {
    ...(schema !== undefined && { schema }),
    ...(durability !== undefined && { durability: durability as 'accepted' | 'strict' }),
    ...(migrate !== undefined && { migrate: migrate !== 'false' }),
    ...(listen !== undefined && { listen: listen !== 'false' }),
  };
  return { url: url.href, query };
}
