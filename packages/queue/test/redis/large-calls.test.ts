import { expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { NewJob } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { redisOfFile } from './redis-of-file.ts';

const redis = redisOfFile();

test('a call that must not be cut may have more jobs than a call in JavaScript has arguments', async () => {
  const adapter = redisAdapter({ url: redis.url, onWarning: () => undefined });
  const storage = await adapter.open({ queue: `large-${process.pid}`, clock: systemClock, random: Math.random });
  const jobs = Array.from(
    { length: 100_000 },
    (_, n): NewJob => ({
      ...{ id: `j${n}`, name: 'work', payload: '{}', bytes: 2, tenant: '', priority: n % 2, delay: 0 },
      ...{ maxAttempts: 3, cost: 0, keepResult: 0, children: 0 },
    }),
  );
  const answers = await storage.enqueue({ jobs, atomic: true });
  expect(answers.every(({ status }) => status === 'accepted')).toBe(true);
  expect(await storage.control('counts', {})).toMatchObject({ ready: 100_000 });
  expect(await storage.control('priorities', {})).toEqual([
    { priority: 1, ready: 50_000 },
    { priority: 0, ready: 50_000 },
  ]);
  await adapter.close();
});
