import type { ErrorGroup, JobFilter, Page } from '../contract/control.ts';
import type { Duration } from '../duration.ts';
import type { CallOptions } from '../queue.ts';
import type { JobDetails, PageOptions } from './inspect.ts';

/** Which dead letters. */
export type DeadLetterFilter = Omit<JobFilter, 'state'>;

/** Options of {@link DeadLetters.redrive}. */
export interface RedriveOptions extends CallOptions {
  readonly filter?: DeadLetterFilter;
  /** Jobs per time, so that the wave does not break what broke before. @default all at once */
  readonly rate?: { readonly limit: number; readonly per: Duration };
}

/** Jobs that have used up their attempts. */
export interface DeadLetters {
  list(options?: PageOptions & { readonly filter?: DeadLetterFilter }): Promise<Page<JobDetails>>;
  /** Dead letters with like errors, most frequent first. */
  groups(options?: CallOptions & { readonly limit?: number }): Promise<readonly ErrorGroup[]>;
  /** Makes them wait again, with all their attempts. Answers how many. */
  redrive(options?: RedriveOptions): Promise<number>;
  /** Removes them. Answers how many. */
  purge(options?: CallOptions & { readonly filter?: DeadLetterFilter }): Promise<number>;
}
