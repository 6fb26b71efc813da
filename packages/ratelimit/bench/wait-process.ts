import { rateLimit, type Store } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { Redis } from 'ioredis';
import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Report } from './wait.ts';

/** 50 workers on a shared limit of 1000 per second; reports the waits after the warm-up. */
const [url = '', strategy = 'millrace'] = process.argv.slice(2);
const redis = new Redis(url);
let waits: number[] = [];
let asked = 0;
let measuring = false;

/** Counts how often calls ask for a slot. */
function counting(store: Store): Pick<Store, 'name' | 'capabilities' | 'rates'> {
  const rates = Object.create(store.rates) as Store['rates'];
  rates.debit = (table, requests) => {
    asked += requests.length;
    return store.rates.debit(table, requests);
  };
  for (const name of ['adjust', 'correct', 'pause', 'read'] as const) {
    Object.assign(rates, { [name]: store.rates[name].bind(store.rates) });
  }
  return { name: store.name, capabilities: store.capabilities, rates };
}

function acquirer(): () => Promise<unknown> {
  if (strategy === 'millrace') {
    const limiter = rateLimit({
      store: counting(redisStore({ redis })),
      key: 'wait',
      limits: [{ limit: 1_000, per: '1s' }],
      storeTimeout: '10s',
    });
    return () => limiter.acquire();
  }
  const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: 'wait', points: 1_000, duration: 1 });
  return async () => {
    for (;;) {
      asked += 1;
      const refused = await limiter.consume('k').then(
        () => undefined,
        (error: RateLimiterRes) => error,
      );
      if (refused === undefined) return;
      await new Promise((resolve) => setTimeout(resolve, refused.msBeforeNext));
    }
  };
}

const acquire = acquirer();

async function worker(): Promise<void> {
  for (;;) {
    const startedAt = performance.now();
    await acquire();
    if (measuring) waits.push(performance.now() - startedAt);
  }
}

process.on('message', (message) => {
  if (message === 'measure') {
    measuring = true;
    waits = [];
    asked = 0;
  }
  if (message === 'report') {
    measuring = false;
    process.send?.({ waits, asked } satisfies Report);
  }
});
process.on('disconnect', () => process.exit(0));
for (let i = 0; i < 50; i++) void worker();
process.send?.('ready');
