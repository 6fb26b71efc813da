import type { Explanation, JobFilter, Page, QueueCounts, TenantView } from '../contract/control.ts';
import type { JobView } from '../contract/job.ts';
import type { CallOptions } from '../queue.ts';

/** A job with its payload, result and progress decoded. */
export type JobDetails = Omit<JobView, 'payload' | 'result' | 'progress'> & {
  readonly payload: unknown;
  readonly result?: unknown;
  readonly progress?: unknown;
};

/** Which page of a list. */
export interface PageOptions extends CallOptions {
  readonly cursor?: string;
  /** 1 to 500. @default 100 */
  readonly limit?: number;
}

/** Looking, without touching. */
export interface Inspect {
  /** Jobs per state, waiting bytes, live sessions, oldest age. Never a scan. */
  counts(options?: CallOptions): Promise<QueueCounts>;
  /** Milliseconds since the oldest ready job became ready; 0 when none is. */
  oldestAge(options?: CallOptions): Promise<number>;
  /** A job with the history of its failures; undefined when it is not known (any more). */
  job(id: string, options?: CallOptions): Promise<JobDetails | undefined>;
  jobs(filter: JobFilter, options?: PageOptions): Promise<Page<JobDetails>>;
  /** Why the job does not run, and until when. */
  explain(id: string, options?: CallOptions): Promise<Explanation>;
  tenants(options?: PageOptions): Promise<Page<TenantView>>;
  /** Ready jobs per priority. */
  priorities(options?: CallOptions): Promise<readonly { readonly priority: number; readonly ready: number }[]>;
}
