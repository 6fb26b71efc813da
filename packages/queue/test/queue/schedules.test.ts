import { createQueue, defineJob, type Queue, type QueueAdapter } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { type ManualClock, manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

const tick = defineJob('tick', z.object({ n: z.number() }));
type Ticks = Queue<readonly [typeof tick]>;
const minute = 60_000;
const start = Date.parse('2026-03-28T12:00:30Z');
const every = { cron: '* * * * *', name: 'tick', payload: { n: 1 } } as const;

/** A queue with a worker that notes at which minute of the clock its handler ran. */
function open(clock: ManualClock, adapter = memoryAdapter()): { queue: Ticks; work: () => string[] } {
  const queue = createQueue({ adapter, clock, random: () => 0.5, jobs: [tick] });
  const work = (): string[] => {
    const runs: string[] = [];
    queue.work({ tick: (job) => void runs.push(job.id.replace(/^.*:/, '')) }, { pollInterval: 10_000 });
    return runs;
  };
  return { queue, work };
}

const at = (iso: string): string => String(Date.parse(iso));

describe('schedules', () => {
  it('fire each instant once, whatever the number of workers', async () => {
    const clock = manualClock(start);
    const adapter = memoryAdapter();
    const { queue, work } = open(clock, adapter);
    const second = open(clock, adapter);
    await queue.schedules.put('minutes', every);
    const runs = [work(), work(), second.work()];
    for (let n = 0; n < 3; n += 1) await clock.advance(minute);
    const instants = ['2026-03-28T12:01Z', '2026-03-28T12:02Z', '2026-03-28T12:03Z'].map(at);
    await expect.poll(() => runs.flat().sort()).toEqual(instants);
    await Promise.all([queue.close(), second.queue.close()]);
  });

  it.each([
    ['once', ['2026-03-28T12:10Z', '2026-03-28T12:11Z']],
    ['all', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => `2026-03-28T12:${String(n).padStart(2, '0')}Z`)],
    // 12:10 is not missed: it was half a minute ago.
    ['skip', ['2026-03-28T12:10Z', '2026-03-28T12:11Z']],
  ] as const)('after ten minutes without a worker, missed: %s', async (missed, expected) => {
    const clock = manualClock(start);
    const { queue, work } = open(clock);
    await queue.schedules.put('minutes', { ...every, missed });
    await clock.advance(10 * minute);
    const runs = work();
    await clock.advance(minute);
    await expect.poll(() => [...runs].sort()).toEqual(expected.map(at));
    await queue.close();
  });

  it('skip forgets instants of long ago', async () => {
    const clock = manualClock(start);
    const { queue, work } = open(clock);
    await queue.schedules.put('hours', { ...every, cron: '0 * * * *', missed: 'skip' });
    await clock.advance(150 * minute);
    const runs = work();
    await clock.advance(5_000);
    expect(runs).toEqual([]);
    await clock.advance(30 * minute);
    await expect.poll(() => runs).toEqual([at('2026-03-28T15:00Z')]);
    await queue.close();
  });

  it('follow the wall clock of their time zone, also over the change to summer time', async () => {
    const clock = manualClock(start);
    const { queue, work } = open(clock);
    const view = await queue.schedules.put('morning', { ...every, cron: '0 9 * * *', timeZone: 'Europe/Berlin' });
    // On 29 March 2026 clocks in Berlin go from +01:00 to +02:00.
    expect(view.nextAt?.toISOString()).toBe('2026-03-29T07:00:00.000Z');
    const runs = work();
    for (let hour = 0; hour < 44; hour += 1) await clock.advance(60 * minute);
    await expect.poll(() => runs).toEqual(['2026-03-29T07:00Z', '2026-03-30T07:00Z'].map(at));
    await queue.close();
  });

  it('of which one cannot be made here do not keep the others from firing', async () => {
    const clock = manualClock(start);
    const adapter = memoryAdapter();
    const errors: unknown[] = [];
    const other = createQueue({ adapter, clock, jobs: [defineJob('of-tomorrow', z.number())] });
    await other.schedules.put('a-new-one', { cron: '* * * * *', name: 'of-tomorrow', payload: 1 });
    const queue = createQueue({
      adapter,
      clock,
      random: () => 0.5,
      jobs: [tick],
      instrumentation: { onStoreError: ({ error }) => void errors.push(error) },
    });
    await queue.schedules.put('minutes', every);
    const runs: string[] = [];
    queue.work({ tick: (job) => void runs.push(job.id) }, { pollInterval: 1_000 });
    await clock.advance(2 * minute);
    await expect.poll(() => runs.length).toBe(2);
    expect(String(errors[0])).toContain('of-tomorrow');
    await Promise.all([queue.close(), other.close()]);
  });

  it('wait for room in a full queue, and say so, instead of losing the instant', async () => {
    const clock = manualClock(start);
    const errors: unknown[] = [];
    const queue = createQueue({
      adapter: memoryAdapter(),
      clock,
      random: () => 0.5,
      jobs: [tick],
      settings: { limits: { maxWaiting: 2 } },
      instrumentation: { onStoreError: ({ error }) => void errors.push(error) },
    });
    await queue.schedules.put('minutes', { ...every, missed: 'all' });
    await queue.pause();
    await queue.enqueue('tick', { n: 1 }, { id: 'first' });
    await clock.advance(3 * minute);
    const runs: string[] = [];
    queue.work({ tick: (job) => void runs.push(job.id.replace(/^.*:/, '')) }, { pollInterval: 1_000 });
    // Of three instants the oldest finds room.
    await expect.poll(() => queue.inspect.counts()).toMatchObject({ ready: 2 });
    for (let n = 0; n < 5; n += 1) await clock.advance(1_000);
    await expect.poll(() => errors.length).toBeGreaterThan(0);
    expect(errors[0]).toMatchObject({ code: 'ERR_QUEUE_FULL', retryAfter: 1_000 });
    expect(errors.length).toBeLessThan(7);
    await queue.resume();
    for (let n = 0; n < 10; n += 1) await clock.advance(1_000);
    const instants = ['2026-03-28T12:01Z', '2026-03-28T12:02Z', '2026-03-28T12:03Z'].map(at);
    await expect.poll(() => runs).toEqual(['first', ...instants]);
    await queue.close();
  });

  it('do not keep a worker asking while a full queue cannot take them', async () => {
    const clock = manualClock(start);
    const adapter = memoryAdapter();
    let exchanges = 0;
    const counting: QueueAdapter = {
      ...adapter,
      async open(options) {
        const storage = await adapter.open(options);
        return {
          ...storage,
          exchange: (request) => {
            exchanges += 1;
            return storage.exchange(request);
          },
        };
      },
    };
    const settings = { limits: { maxWaiting: 1 } };
    const queue = createQueue({ adapter: counting, clock, random: () => 0.5, jobs: [tick], settings });
    await queue.schedules.put('minutes', every);
    await queue.pause();
    await queue.enqueue('tick', { n: 1 }, { id: 'first' });
    queue.work({ tick: () => undefined }, { pollInterval: 10_000 });
    await clock.advance(minute);
    const before = exchanges;
    for (let ms = 0; ms < 10_000; ms += 5) await clock.advance(5);
    expect(exchanges - before).toBeGreaterThan(10);
    expect(exchanges - before).toBeLessThan(60);
    await queue.close();
  });

  it('are checked when they are made', async () => {
    const { queue } = open(manualClock(start));
    await expect(queue.schedules.put('x', { ...every, cron: 'at noon' })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    });
    await expect(queue.schedules.put('x', { ...every, timeZone: 'Middle/Earth' })).rejects.toThrow(/time zone/);
    // @ts-expect-error: the payload does not fit
    await expect(queue.schedules.put('x', { ...every, payload: {} })).rejects.toMatchObject({
      code: 'ERR_PAYLOAD_INVALID',
    });
    // @ts-expect-error: there is no such job
    await expect(queue.schedules.put('x', { ...every, name: 'tock' })).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_JOB',
    });
    expect(await queue.schedules.list()).toEqual([]);
    await queue.close();
  });
});
