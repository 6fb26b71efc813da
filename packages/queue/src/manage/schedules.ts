import type { JobName, Jobs, PayloadInput } from '../job.ts';
import type { CallOptions, EnqueueOptions } from '../queue.ts';

/** A recurring job. */
export type ScheduleOptions<J extends Jobs> = {
  [N in JobName<J>]: {
    /** Cron expression: five fields, or six with seconds first. */
    readonly cron: string;
    /** IANA time zone. @default 'UTC' */
    readonly timeZone?: string;
    /** Instants that passed while no process was running: forget them, run once, or run each (at most 1,000). @default 'once' */
    readonly missed?: 'skip' | 'once' | 'all';
    readonly name: N;
    readonly payload: PayloadInput<J, N>;
    readonly options?: Omit<EnqueueOptions, 'id' | 'signal' | 'tx' | 'delay' | 'dedupe'>;
  };
}[JobName<J>];

/** A schedule as it stands. */
export interface ScheduleView {
  readonly key: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly missed: 'skip' | 'once' | 'all';
  readonly name: string;
  /** The next instant; undefined when there is none. */
  readonly nextAt: Date | undefined;
}

/** Cron. Each instant enqueues exactly one job, whatever the number of processes; at least one worker must run. */
export interface Schedules<J extends Jobs> {
  /** Creates or replaces the schedule. @throws InvalidOptionError for an expression or a time zone that cannot be read */
  put(key: string, schedule: ScheduleOptions<J>, options?: CallOptions): Promise<ScheduleView>;
  /** Answers whether there was one. */
  remove(key: string, options?: CallOptions): Promise<boolean>;
  list(options?: CallOptions): Promise<readonly ScheduleView[]>;
}
