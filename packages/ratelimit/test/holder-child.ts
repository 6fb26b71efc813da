/** A process that holds a permit, waits for another one, holds money and a cache lock, says so, and is killed then. */
import { budget, bulkhead, responseCache, wrap } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { Redis } from 'ioredis';

const [url = '', lease = '2000'] = process.argv.slice(2);
const leaseMs = Number(lease);
const store = redisStore({ redis: new Redis(url) });
const common = { store, storeTimeout: '10s', lease: leaseMs } as const;
const permits = bulkhead({ ...common, limit: 2, onStoreDown: 'closed' });
const spend = budget({ ...common, scopes: [{ name: 'all', cap: 100 }], estimate: () => 60 });
const cache = responseCache({ store, key: ({ key }) => key, lockLease: leaseMs, storeTimeout: '10s' });

await permits.acquire();
await permits.acquire();
void permits.acquire(); // waits in the store's line
await spend.reserve({});
void wrap(cache)(() => new Promise(() => process.send?.('holding')), { key: 'question' });
