import {
  PostgresDialect,
  type PostgresDialectConfig,
  PostgresDriver,
  type PostgresPool,
  type PostgresPoolClient,
} from 'kysely';
import type pg from 'pg';

/**
 * The end of a statement that the server keeps planned under a name, once per connection: planning the statements behind
 * a POST takes longer than carrying them out. Such a statement lists the columns that it returns, because one that a
 * migration widens under a running process is refused, and finds its rows by a unique key, so that one plan fits all values.
 */
export const prepared = '/* prepared */';

const names = new Map<string, string>();

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = `millrace_${names.size + 1}`;
  names.set(text, name);
  return name;
}

/**
 * A client that knows which statements are {@link prepared}, and gives the kernel all that one turn has for the server in
 * one write: each write is a switch of context on both sides, and that is most of what a small statement costs.
 */
function preparing(client: pg.PoolClient): PostgresPoolClient {
  const { stream } = (client as pg.PoolClient & Pick<pg.Client, 'connection'>).connection;
  let corked = false;
  const uncork = (): void => {
    corked = false;
    stream.uncork();
  };
  const query = (text: string, values: unknown[]): Promise<unknown> => {
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return client.query(text.endsWith(prepared) ? { name: nameOf(text), text, values } : { text, values });
  };
  return { query: query as PostgresPoolClient['query'], release: () => client.release() };
}

/**
 * Kysely over a pool whose clients have `pipeline` set: the first statement of a transaction goes out together with its
 * BEGIN, whatever is not awaited goes out with what comes next, and marked statements are prepared.
 */
export function pipelinedDialect(pool: pg.Pool): PostgresDialect {
  const clients = new WeakMap<pg.PoolClient, PostgresPoolClient>();
  const lend = async (): Promise<PostgresPoolClient> => {
    const client = await pool.connect();
    const known = clients.get(client) ?? preparing(client);
    clients.set(client, known);
    return known;
  };
  return new PipelinedDialect({ pool: { connect: lend, end: () => pool.end() } as PostgresPool });
}

class PipelinedDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;
  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }
  override createDriver(): PostgresDriver {
    return new PipelinedDriver(this.#config);
  }
}

class PipelinedDriver extends PostgresDriver {
  /** BEGIN fails only with its connection, and then so does what follows. */
  override async beginTransaction(...args: Parameters<PostgresDriver['beginTransaction']>): Promise<void> {
    super.beginTransaction(...args).catch(() => undefined);
  }
}
