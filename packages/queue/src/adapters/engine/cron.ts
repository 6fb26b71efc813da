import type { ControlInput, ScheduleRecord } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { enqueue } from './enqueue.ts';

/** Creates or replaces a schedule; an unchanged rhythm goes on where it is. */
export function putSchedule(call: Call, { schedule }: ControlInput<'putSchedule'>): ScheduleRecord {
  const known = call.tables.schedule(schedule.key);
  const sameRhythm = known?.cron === schedule.cron && known.timeZone === schedule.timeZone;
  const { nextAt, lastAt } = sameRhythm ? known : schedule;
  const { nextAt: _next, lastAt: _last, ...rest } = schedule;
  const row: ScheduleRecord = {
    ...rest,
    ...(nextAt !== undefined && { nextAt }),
    ...(lastAt !== undefined && { lastAt }),
  };
  call.tables.saveSchedule(row);
  return row;
}

/** Compare-and-set on the instant: of many processes one enqueues. A full queue changes nothing: the instant stays due. */
export function fireSchedule(call: Call, input: ControlInput<'fireSchedule'>): boolean {
  const known = call.tables.schedule(input.key);
  if (known === undefined || known.nextAt !== input.expectedNextAt) return false;
  const [answer] = enqueue(call, { jobs: input.jobs, atomic: true });
  if (answer?.status === 'rejected') return false;
  const { nextAt: _next, ...rest } = known;
  call.tables.saveSchedule({
    ...rest,
    lastAt: input.lastAt,
    ...(input.nextAt !== undefined && { nextAt: input.nextAt }),
  });
  return true;
}
