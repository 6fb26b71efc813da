import type { AdapterCapabilities, AdapterContext, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { defaultSettings } from '../../contract/limits.ts';
import { type OwnPool, openPool, type SqlPool } from './client.ts';
import { createHints } from './hints.ts';
import { createKeepAlive } from './keep-alive.ts';
import { checkLayout, migrate } from './migrate.ts';
import { type PostgresAdapterOptions, readOptions } from './options.ts';
import { statementsFor } from './statements.ts';
import { openStorage } from './storage.ts';
import { toStoreError } from './store-errors.ts';

/**
 * Keeps queues in PostgreSQL 13 or later: jobs can be enqueued and acknowledged in the transactions of your own tables.
 *
 * @example
 * const queue = createQueue({ adapter: postgresAdapter({ pool }), jobs: [sendMail] });
 *
 * @throws InvalidOptionError
 */
export function postgresAdapter(options: PostgresAdapterOptions): QueueAdapter {
  const settings = readOptions(options);
  const { schema } = settings;
  const statements = statementsFor(schema, settings.durability === 'strict');
  const capabilities: AdapterCapabilities = {
    shared: true,
    durable: true,
    clock: 'store',
    transactions: true,
    threadedKeepAlive: settings.pool === undefined,
  };
  const storages = new Set<QueueStorage>();
  let own: Promise<OwnPool> | undefined;
  let preparing: Promise<void> | undefined;

  function pool(): Promise<SqlPool> {
    if (settings.pool !== undefined) return Promise.resolve(settings.pool);
    own ??= openPool(settings.url);
    return own;
  }

  /** Once per adapter, again after it failed. */
  function prepare(client: SqlPool): Promise<void> {
    preparing ??= (settings.migrate ? migrate(client, { schema }) : checkLayout(client, schema)).catch(
      (error: unknown) => {
        preparing = undefined;
        throw toStoreError(error);
      },
    );
    return preparing;
  }

  async function open({ queue, clock }: AdapterContext): Promise<QueueStorage> {
    const client = await pool();
    let place = { number: 0, channel: '' };
    async function create(): Promise<void> {
      await prepare(client);
      const { rows } = await client
        .query(statements.open, [queue, JSON.stringify(defaultSettings)])
        .catch((error: unknown) => {
          throw toStoreError(error);
        });
      place = rows[0] as typeof place;
    }
    await create();
    const storage = openStorage({
      ...{ queue, client, clock, statements },
      hints: createHints({ pool: client, channel: place.channel, listen: settings.listen }),
      number: () => place.number,
      create: async () => {
        preparing = undefined;
        await create();
      },
      keepAlive:
        settings.pool === undefined ? createKeepAlive(settings.url, statements.renew, () => place.number) : undefined,
    });
    storages.add(storage);
    return storage;
  }

  return {
    name: 'postgres',
    capabilities,
    open,
    close: async () => {
      for (const storage of storages) await storage.close();
      await (await own?.catch(() => undefined))?.end();
      own = undefined;
    },
  };
}
