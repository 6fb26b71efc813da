import type { CallOptions } from '../queue.ts';

/** Actions on all jobs that match a filter, page by page. Jobs that come to match meanwhile may or may not be included. */
export interface Bulk {
  /** How many match now. */
  count(options?: CallOptions): Promise<number>;
  /** Cancels the waiting and asks the running to stop. Answers how many. */
  cancel(options?: CallOptions): Promise<number>;
  /** Of those that wait. Answers how many. */
  setPriority(priority: number, options?: CallOptions): Promise<number>;
  /** Makes the delayed ready now. Answers how many. */
  promote(options?: CallOptions): Promise<number>;
  /** Removes the finished. Answers how many. */
  purge(options?: CallOptions): Promise<number>;
}
