import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { ExchangeAnswer, ExchangeRequest, NewJob, QueueStorage, Settlement } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { redisOfFile } from './redis-of-file.ts';

const redis = redisOfFile();

let opened = 0;

type Opened = QueueStorage & { readonly queue: string };

async function open(): Promise<Opened> {
  opened += 1;
  const queue = `hand-offs-${process.pid}-${opened}`;
  const adapter = redisAdapter({ url: redis.url, onWarning: () => undefined });
  onTestFinished(() => adapter.close());
  return { ...(await adapter.open({ queue, clock: systemClock, random: Math.random })), queue };
}

const job = (id: string, more: Partial<NewJob> = {}): NewJob => ({
  ...{ id, name: 'work', payload: '{}', bytes: 2, tenant: 'one', priority: 0, delay: 0 },
  ...{ maxAttempts: 3, cost: 0, keepResult: 0, children: 0, ...more },
});

interface Idle {
  readonly handed: { readonly id: string; readonly fence: number }[];
  exchange(claim: number, settle?: readonly Settlement[]): Promise<ExchangeAnswer>;
}

/** A session that has offered to take one job. */
async function idle(storage: Opened, session: string): Promise<Idle> {
  const handed: Idle['handed'] = [];
  storage.handOffs?.(session, ({ jobs }) => handed.push(...jobs));
  const channel = `*${storage.queue}*to:${session}`;
  await expect.poll(() => redis.admin.pubsub('CHANNELS', channel)).toHaveLength(1);
  let call = 0;
  const exchange = (claim: number, settle: readonly Settlement[] = [], offer = false): Promise<ExchangeAnswer> => {
    const request: ExchangeRequest = {
      ...{ session, begin: call === 0, lease: 60_000, call: call + 1, lostCalls: [], claim, housekeeping: 100 },
      ...{ end: false, settle, extend: [], progress: [], ...(offer && { offer: { call: call + 2, within: 60_000 } }) },
    };
    call += 2;
    return storage.exchange(request);
  };
  await exchange(1, [], true);
  return { handed, exchange };
}

test('a job that is handed over at once stands in no line, and ends like any other', async () => {
  const storage = await open();
  const first = await idle(storage, 'a');
  const second = await idle(storage, 'b');
  await storage.enqueue({ jobs: [job('j')] });
  await expect.poll(() => first.handed.length).toBe(1);
  expect(await redis.admin.keys(`*${storage.queue}*w:*`)).toEqual([]);
  expect(await storage.control('counts', {})).toMatchObject({ ready: 0, leased: 1 });
  const [{ id, fence } = { id: '', fence: 0 }] = first.handed;
  const { settled } = await first.exchange(0, [{ kind: 'ack', jobId: id, fence }]);
  expect(settled).toEqual(['applied']);
  expect(await storage.control('counts', {})).toMatchObject({ ready: 0, leased: 0, waitingBytes: 0 });
  expect(second.handed).toEqual([]);
});

test('limits hold for who is handed a job at once', async () => {
  const storage = await open();
  await storage.control('configure', { tenantDefaults: { maxLeased: 1 } });
  const first = await idle(storage, 'a');
  const second = await idle(storage, 'b');
  await storage.enqueue({ jobs: [job('j')] });
  await expect.poll(() => first.handed.length).toBe(1);
  await storage.enqueue({ jobs: [job('k')] });
  expect(await storage.control('counts', {})).toMatchObject({ ready: 1, leased: 1 });
  const [{ id, fence } = { id: '', fence: 0 }] = first.handed;
  const { claimed } = await first.exchange(1, [{ kind: 'ack', jobId: id, fence }]);
  expect(claimed.map((other) => other.id)).toEqual(['k']);
  expect(second.handed).toEqual([]);
});

test('one call hands jobs to one session; what else it makes ready is claimed', async () => {
  const storage = await open();
  const first = await idle(storage, 'a');
  const second = await idle(storage, 'b');
  await storage.enqueue({ jobs: [job('j'), job('later', { delay: 60_000 }), job('k')] });
  await expect.poll(() => first.handed.map(({ id }) => id)).toEqual(['j']);
  const { claimed } = await second.exchange(5);
  expect(claimed.map(({ id }) => id)).toEqual(['k']);
  expect(second.handed).toEqual([]);
});
