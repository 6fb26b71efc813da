import { budget } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { Redis } from 'ioredis';

/** Holds money without ever settling it, until it is killed. */
const [url = '', cap = '0', account = ''] = process.argv.slice(2);
const spend = budget({
  store: redisStore({ redis: new Redis(url) }),
  account,
  scopes: [{ name: 'tenant', cap: Number(cap) }],
  estimate: () => 1_200_000,
  lease: '2s',
});
await Promise.all([1, 2, 3].map(() => spend.reserve({}).catch(() => {})));
process.send?.('holding');
setInterval(() => {}, 1_000);
