import { Cron } from 'croner';
import { type Awaitable, gather } from '../awaitable.ts';
import type { Clock } from '../clock.ts';
import type { NewJob, ScheduleRecord } from '../contract/index.ts';
import { InvalidOptionError, QueueFullError } from '../errors.ts';
import type { Jobs } from '../job.ts';
import type { Opened } from '../opened.ts';
import { type JobMaker, makeJob } from '../produce/new-job.ts';
import type { EnqueueOptions } from '../queue.ts';
import type { ScheduleOptions, Schedules, ScheduleView } from './schedules.ts';

/** `queue.schedules`, and what the workers need of it. */
export interface ScheduleKeeper extends Schedules<Jobs> {
  /** Enqueues what is due; of many processes one succeeds per instant. */
  fire(keys: readonly string[]): Promise<void>;
}

/** The job of a schedule as it is stored. */
interface Template {
  readonly name: string;
  readonly payload: unknown;
  readonly options?: EnqueueOptions;
}

/** Most instants that `missed: 'all'` makes up for in one firing. */
const mostMissed = 1_000;
/** Milliseconds after which a schedule is tried again that a full queue has refused. */
const roomAfter = 1_000;

/** Instants to run, and the one that comes after them. */
interface Due {
  readonly instants: readonly number[];
  readonly nextAt: number | undefined;
}

/** Creates `queue.schedules`. */
export function createSchedules(opened: Opened, maker: JobMaker, clock: Clock): ScheduleKeeper {
  /** Keys that the queue had no room for, and until when (monotonic) this process leaves them alone: it hears of them with every answer. */
  const held = new Map<string, number>();
  const mayFire = (key: string): boolean => (held.get(key) ?? Number.NEGATIVE_INFINITY) <= clock.monotonic();

  /** @throws whatever the definition says about the payload, so that a bad schedule fails when it is made and not at night */
  async function toRecord(key: string, schedule: ScheduleOptions<Jobs>): Promise<ScheduleRecord> {
    if (!/^[\w.:-]{1,100}$/.test(key)) {
      throw new InvalidOptionError('The key of a schedule must have 1 to 100 letters, digits, "_", "-", "." or ":".');
    }
    const { cron, timeZone = 'UTC', missed = 'once', name, payload, options } = schedule;
    const template: Template = { name, payload, ...(options !== undefined && { options }) };
    await makeJob(maker, name, payload, options);
    const nextAt = nextInstant(cron, timeZone, clock.now());
    return {
      key,
      cron,
      timeZone,
      missed,
      template: JSON.stringify(template),
      ...(nextAt !== undefined && { nextAt }),
    };
  }

  async function fireOne(schedule: ScheduleRecord, now: number): Promise<void> {
    const { key, nextAt: expectedNextAt } = schedule;
    if (expectedNextAt === undefined || expectedNextAt > now) return;
    const due = dueInstants(schedule, expectedNextAt, now);
    const [first, second] = due.instants;
    // A queue that has no room for all that was missed may have some for the oldest.
    const tries = first === undefined || second === undefined ? [due] : [due, { instants: [first], nextAt: second }];
    for (const one of tries) {
      if ((await fireInstants(schedule, expectedNextAt, one)) || !(await isStillDue(key, expectedNextAt))) return;
    }
    held.set(key, clock.monotonic() + roomAfter);
    // Which high-water mark it is, the store does not say here.
    throw new QueueFullError(opened.queue, '', { scope: 'queue', limit: 'count' }, roomAfter);
  }

  async function fireInstants(schedule: ScheduleRecord, expectedNextAt: number, due: Due): Promise<boolean> {
    const { instants, nextAt } = due;
    const jobs = await gather(instants, (instant) => makeInstant(maker, schedule, instant));
    const lastAt = instants.at(-1) ?? expectedNextAt;
    const input = { key: schedule.key, expectedNextAt, lastAt, jobs, ...(nextAt !== undefined && { nextAt }) };
    return opened.call((storage) => storage.control('fireSchedule', input));
  }

  /** Nobody has fired the instant: the queue had no room for it. */
  async function isStillDue(key: string, instant: number): Promise<boolean> {
    const [schedule] = await opened.call((storage) => storage.control('schedules', { keys: [key] }));
    return schedule?.nextAt === instant;
  }

  return {
    put: async (key, schedule, options) => {
      const record = await toRecord(key, schedule);
      return toView(await opened.call((storage) => storage.control('putSchedule', { schedule: record }), options));
    },
    remove: (key, options) => opened.call((storage) => storage.control('removeSchedule', { key }), options),
    list: async (options) => (await opened.call((storage) => storage.control('schedules', {}), options)).map(toView),
    fire: async (announced) => {
      const keys = announced.filter(mayFire);
      if (keys.length === 0) return;
      for (const key of keys) held.delete(key);
      const due = await opened.call((storage) => storage.control('schedules', { keys }));
      const tries = await Promise.allSettled(due.map((schedule) => fireOne(schedule, clock.now())));
      const errors = tries.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      // One that this process cannot make (the job is of a newer version) keeps no other from firing.
      if (errors.length > 0)
        throw errors.length === 1 ? errors[0] : new AggregateError(errors, 'Schedules did not fire.');
    },
  };
}

/** @throws InvalidOptionError */
function nextInstant(cron: string, timeZone: string, after: number): number | undefined {
  try {
    return new Cron(cron, { timezone: timeZone }).nextRun(new Date(after))?.getTime();
  } catch (cause) {
    const error = new InvalidOptionError(
      `The schedule ${JSON.stringify(cron)} in time zone ${JSON.stringify(timeZone)} cannot be read: ${String(cause)}`,
    );
    error.cause = cause;
    throw error;
  }
}

/** The instants from `first` to `now` that are to be run, by the schedule's rule for missed ones. */
function dueInstants({ cron, timeZone, missed }: ScheduleRecord, first: number, now: number): Due {
  const instants = [first];
  let nextAt = nextInstant(cron, timeZone, first);
  while (nextAt !== undefined && nextAt <= now && instants.length < mostMissed) {
    instants.push(nextAt);
    nextAt = nextInstant(cron, timeZone, nextAt);
  }
  if (missed === 'all') return { instants, nextAt };
  // Further behind than one firing looks at: jump to the present.
  const upToDate = nextAt !== undefined && nextAt <= now ? nextInstant(cron, timeZone, now) : nextAt;
  const latest = instants.at(-1) ?? first;
  const isFresh = now - latest < freshFor;
  if (missed === 'skip' && !isFresh) return { instants: [], nextAt: upToDate };
  return { instants: [latest], nextAt: upToDate };
}

/** With `missed: 'skip'` an instant is missed when nobody fired it for this long. */
const freshFor = 60_000;

/** The id names the instant, so that an instant can never make two jobs. */
function makeInstant(maker: JobMaker, schedule: ScheduleRecord, instant: number): Awaitable<NewJob> {
  const { name, payload, options } = JSON.parse(schedule.template) as Template;
  return makeJob(maker, name, payload, { ...options, id: `${schedule.key}:${instant}` });
}

function toView(record: ScheduleRecord): ScheduleView {
  const { name } = JSON.parse(record.template) as Template;
  const { key, cron, timeZone, missed, nextAt } = record;
  return { key, cron, timeZone, missed, name, nextAt: nextAt === undefined ? undefined : new Date(nextAt) };
}
