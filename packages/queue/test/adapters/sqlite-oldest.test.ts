import { afterAll, expect, test } from 'vitest';
import { type NewJob, systemClock } from '../../src/index.ts';
import { sqliteAdapter } from '../../src/sqlite.ts';

const adapter = sqliteAdapter({ path: ':memory:' });
afterAll(() => adapter.close());

function makeJob(id: string, priority: number): NewJob {
  const rest = { delay: 0, maxAttempts: 3, cost: 0, keepResult: 0, children: 0 };
  return { id, name: 'work', payload: '1', bytes: 1, tenant: `of ${id}`, priority, ...rest };
}

test.each([[[5, 0, -5]], [[-5, 0, 5]], [[0, 5, -5]]])(
  'the oldest ready job is found in any class: %j',
  async (priorities) => {
    let now = 1_000;
    const clock = { ...systemClock, now: () => now };
    const storage = await adapter.open({ queue: priorities.join(), clock, random: Math.random });
    for (const [index, priority] of priorities.entries()) {
      await storage.enqueue({ jobs: [makeJob(`job-${index}`, priority)] });
      now += 100;
    }
    const ages: number[] = [];
    for (const index of priorities.keys()) {
      ages.push((await storage.control('counts', {})).oldestReadyAge);
      await storage.control('cancel', { ids: [`job-${index}`] });
    }
    expect(ages).toEqual([300, 200, 100]);
  },
);
