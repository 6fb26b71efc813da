import { toMilliseconds } from '../duration.ts';
import { InvalidOptionError } from '../errors.ts';
import { assertInteger } from '../job.ts';
import type { WorkerOptions } from '../worker.ts';

/** {@link WorkerOptions} with its defaults; times in milliseconds. */
export interface WorkerSettings {
  readonly concurrency: number;
  readonly lease: number;
  readonly margin: number;
  readonly pollInterval: number;
  readonly prefetch: 'auto' | number;
  readonly gate: () => boolean;
  readonly blockedLimit: number;
  readonly callTimeout: number;
  readonly drainTimeout: number;
}

/** @throws InvalidOptionError, InvalidDurationError */
export function readSettings(options: WorkerOptions): WorkerSettings {
  const lease = toMilliseconds(options.lease ?? '15s', 'lease');
  const margin = toMilliseconds(options.margin ?? lease / 5, 'margin');
  const pollInterval = toMilliseconds(options.pollInterval ?? '500ms', 'pollInterval');
  const prefetch = options.prefetch ?? 'auto';
  assertInteger('concurrency', options.concurrency, 1, 100_000);
  if (prefetch !== 'auto') assertInteger('prefetch', prefetch, 0, 10_000);
  if (margin + pollInterval >= lease) {
    throw new InvalidOptionError(
      `\`lease\` (${lease} ms) must be longer than \`margin\` (${margin} ms) and \`pollInterval\` (${pollInterval} ms) together.`,
    );
  }
  return {
    concurrency: options.concurrency ?? 10,
    lease,
    margin,
    pollInterval,
    prefetch,
    gate: options.gate ?? (() => true),
    blockedLimit: toMilliseconds(options.blockedLimit ?? '5m', 'blockedLimit'),
    callTimeout: toMilliseconds(options.callTimeout ?? lease / 3, 'callTimeout'),
    drainTimeout: toMilliseconds(options.drainTimeout ?? '30s', 'drainTimeout'),
  };
}
