import assert from 'node:assert/strict';
import type { ScheduleRecord } from '../contract/index.ts';
import { type Fixture, type Group, idsOf, newJob } from './harness.ts';

const base: ScheduleRecord = { key: 's', cron: '* * * * *', timeZone: 'UTC', missed: 'once', template: '{}' };

async function storeTime({ session }: Fixture): Promise<number> {
  return (await session().exchange({ lease: 600_000 })).now;
}

/** One firing per instant, whatever the number of processes. */
export const schedules: Group = (test) => {
  test('a due schedule is announced, an early one is not', async (fixture) => {
    const now = await storeTime(fixture);
    await fixture.control('putSchedule', { schedule: { ...base, nextAt: now + 200 } });
    const worker = fixture.session();
    const early = await worker.exchange({ lease: 60_000 });
    assert.deepEqual(early.dueSchedules, []);
    assert.ok(early.nextDue !== undefined && early.nextDue <= 200);
    await fixture.advance(250);
    assert.deepEqual((await worker.exchange()).dueSchedules, ['s']);
  });

  test('of many processes one fires the instant', async (fixture) => {
    const { control, other, session } = fixture;
    const nextAt = await storeTime(fixture);
    await control('putSchedule', { schedule: { ...base, nextAt } });
    const fire = (n: number): Promise<boolean> =>
      (n % 2 === 0 ? fixture.storage : other).control('fireSchedule', {
        key: 's',
        expectedNextAt: nextAt,
        nextAt: nextAt + 60_000,
        lastAt: nextAt,
        jobs: [newJob({ id: `s:${nextAt}` })],
      });
    const fired = await Promise.all([0, 1, 2, 3, 4, 5].map(fire));
    assert.equal(fired.filter(Boolean).length, 1);
    assert.deepEqual(idsOf(await session().claim(9)), [`s:${nextAt}`]);
    const [schedule] = await control('schedules', {});
    assert.deepEqual([schedule?.nextAt, schedule?.lastAt], [nextAt + 60_000, nextAt]);
    assert.deepEqual((await session().exchange()).dueSchedules, []);
  });

  test('a schedule that is put again with the same rhythm goes on where it is', async (fixture) => {
    const { control } = fixture;
    const now = await storeTime(fixture);
    await control('putSchedule', { schedule: { ...base, nextAt: now + 1_000 } });
    const same = await control('putSchedule', { schedule: { ...base, template: '{"a":1}', nextAt: now + 9_000 } });
    assert.equal(same.nextAt, now + 1_000);
    assert.equal(same.template, '{"a":1}');
    const changed = await control('putSchedule', { schedule: { ...base, cron: '5 * * * *', nextAt: now + 9_000 } });
    assert.equal(changed.nextAt, now + 9_000);
  });

  test('a removed schedule is gone, and cannot be fired', async (fixture) => {
    const { control } = fixture;
    const nextAt = await storeTime(fixture);
    await control('putSchedule', { schedule: { ...base, nextAt } });
    assert.equal(await control('removeSchedule', { key: 's' }), true);
    assert.equal(await control('removeSchedule', { key: 's' }), false);
    assert.deepEqual(await control('schedules', {}), []);
    assert.equal(await control('fireSchedule', { key: 's', expectedNextAt: nextAt, lastAt: nextAt, jobs: [] }), false);
  });

  test('what a full queue refuses stays due, all of it, and fires when there is room', async (fixture) => {
    const { add, control, session } = fixture;
    const nextAt = await storeTime(fixture);
    await control('configure', { limits: { maxWaiting: 2 } });
    await add('waiting');
    await control('putSchedule', { schedule: { ...base, missed: 'all', nextAt } });
    const instants = [nextAt, nextAt + 1];
    const move = { key: 's', expectedNextAt: nextAt, nextAt: nextAt + 60_000, lastAt: nextAt + 1 };
    const jobs = instants.map((instant) => newJob({ id: `s:${instant}` }));
    assert.equal(await control('fireSchedule', { ...move, jobs }), false);
    assert.equal((await control('counts', {})).ready, 1);
    const worker = session();
    const [waiting] = await worker.claim(1);
    assert.equal(waiting?.id, 'waiting');
    assert.deepEqual((await worker.exchange()).dueSchedules, ['s']);
    assert.equal((await control('schedules', {}))[0]?.nextAt, nextAt);
    assert.equal(await control('fireSchedule', { ...move, jobs }), true);
    assert.deepEqual(
      idsOf(await worker.claim(9)),
      jobs.map(({ id }) => id),
    );
    assert.deepEqual((await worker.exchange()).dueSchedules, []);
  });

  test('a schedule may come to its end', async (fixture) => {
    const { control, session } = fixture;
    const nextAt = await storeTime(fixture);
    await control('putSchedule', { schedule: { ...base, nextAt } });
    await control('fireSchedule', { key: 's', expectedNextAt: nextAt, lastAt: nextAt, jobs: [] });
    assert.deepEqual((await session().exchange()).dueSchedules, []);
    assert.equal((await control('schedules', { keys: ['s'] }))[0]?.nextAt, undefined);
  });
};
