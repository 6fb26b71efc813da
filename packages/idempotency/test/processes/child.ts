/** A process that executes orders of a test; see `protocol.ts`. */
import { Redis } from 'ioredis';
import pg from 'pg';
import { createIdempotency, IdempotencyError, type IdempotencyStore } from '../../src/index.ts';
import { postgresStore } from '../../src/postgres.ts';
import { redisStore } from '../../src/redis.ts';
import { sqliteStore } from '../../src/sqlite.ts';
import type { Order, Report, Step, StoreAddress } from './protocol.ts';
import { stormHere } from './storm.ts';

const report = (message: Report): void => void process.send?.(message);

/** Opens the store that a test names. */
export function openStore({ kind, at }: StoreAddress): IdempotencyStore<never> {
  if (kind === 'sqlite') return sqliteStore({ path: at }) as IdempotencyStore as unknown as IdempotencyStore<never>;
  if (kind === 'redis') return redisStore({ redis: new Redis(at) }) as unknown as IdempotencyStore<never>;
  return postgresStore({ pool: new pg.Pool({ connectionString: at, max: 8 }) }) as unknown as IdempotencyStore<never>;
}

const store = openStore(JSON.parse(process.argv[2] ?? '{}') as StoreAddress);
const idempotency = createIdempotency({ store, sweepInterval: false, storeTimeout: '60s' });

async function storm({ key, calls }: Extract<Order, { do: 'storm' }>): Promise<void> {
  report({ is: 'storm', ...(await stormHere(store, key, calls)) });
}

async function execute({ key, policy, lease, pauseAt }: Extract<Order, { do: 'execute' }>): Promise<void> {
  const reach = async (step: Step): Promise<void> => {
    if (step !== pauseAt) return;
    report({ is: 'at', step });
    // Long enough to be killed or stopped here; after a stop, the rest of it is over at once.
    await new Promise((resolve) => setTimeout(resolve, 150));
  };
  const request = { tenant: 't', operation: 'execute', key, lease, onExpiredLease: policy } as const;
  try {
    const { value } = await idempotency.run(request, async ({ phase }) => {
      await reach('begun');
      await phase('first', async () => {
        report({ is: 'effect', name: 'first' });
        await reach('in phase');
      });
      await reach('after phase');
      report({ is: 'effect', name: 'second' });
      await reach('before complete');
      return process.pid;
    });
    await reach('completed');
    report({ is: 'ended', outcome: `value ${value}` });
  } catch (error) {
    report({ is: 'ended', outcome: error instanceof IdempotencyError ? error.code : String(error) });
  }
}

process.on('message', (order: Order) => {
  void (order.do === 'storm' ? storm(order) : execute(order));
});
process.on('disconnect', () => process.exit());
report({ is: 'ready' });
