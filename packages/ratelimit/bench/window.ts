import { type DebitDecision, rateLimit, type Store } from '@millrace/ratelimit';
import { redisStore } from '@millrace/ratelimit/redis';
import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { sleep } from './child.ts';
import { worstWindow } from './loop.ts';
import { type Bench, type Result, share } from './result.ts';

const limit = 1_000;
const second = 1_000_000;

/** A store that notes the time, by its own clock, of every slot that it gives. */
function recording(store: Store, slots: number[]): Store {
  return {
    ...store,
    rates: {
      debit: async (table, requests) => {
        const decisions: readonly DebitDecision[] = await store.rates.debit(table, requests);
        for (const { granted, at } of decisions) if (granted > 0) slots.push(at);
        return decisions;
      },
      adjust: (table, adjustments) => store.rates.adjust(table, adjustments),
      correct: (table, remaining) => store.rates.correct(table, remaining),
      pause: (table, pause) => store.rates.pause(table, pause),
      read: (table) => store.rates.read(table),
    },
  };
}

type Try = () => Promise<unknown>;

/** Four times the limit, spread evenly. */
async function steady(calls: readonly Try[], ms: number): Promise<void> {
  const endAt = performance.now() + ms;
  while (performance.now() < endAt) {
    for (const call of calls) for (let i = 0; i < 10; i++) void call();
    await sleep(10);
  }
}

/** Just before and just after the border of a fixed window that the first call opened. */
async function boundary(calls: readonly Try[]): Promise<void> {
  const burst = (): void => {
    for (const call of calls) for (let i = 0; i < 400; i++) void call();
  };
  await calls[0]?.();
  await sleep(780);
  burst();
  await sleep(240);
  burst();
  await sleep(1_500);
}

async function compare(metric: string, url: string, attack: (calls: readonly Try[]) => Promise<void>): Promise<Result> {
  const clients = Array.from({ length: 8 }, () => new Redis(url));
  const ours: number[] = [];
  const theirs: number[] = [];
  const options = { limits: [{ limit, per: '1s' }], maxWait: 0, key: metric, storeTimeout: '10s' } as const;
  const mine = clients.slice(0, 4).map((redis): Try => {
    const limiter = rateLimit({ ...options, store: recording(redisStore({ redis }), ours) });
    return () => limiter.tryAcquire();
  });
  const peers = clients.slice(4).map((storeClient): Try => {
    const limiter = new RateLimiterRedis({ storeClient, keyPrefix: metric, points: limit, duration: 1 });
    return () =>
      limiter.consume('k').then(
        () => theirs.push(performance.now() * 1_000),
        () => {},
      );
  });
  await attack(mine);
  await attack(peers);
  for (const client of clients) client.disconnect();
  return share(
    metric,
    worstWindow(ours, second) / limit,
    worstWindow(theirs, second) / limit,
    'rate-limiter-flexible',
    'worst second ÷ limit',
  );
}

export const window: Bench = {
  metrics: ['window.steady', 'window.boundary'],
  async run({ quick }) {
    await using server = await startRedis({ own: true });
    return [
      await compare('window.steady', server.url, (calls) => steady(calls, quick ? 3_000 : 10_000)),
      await compare('window.boundary', server.url, boundary),
    ];
  },
};
