import type { DedupeSpec } from './contract/job.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError } from './errors.ts';

/** How a job that is enqueued again under the same key is treated. */
export type DedupeOption = { readonly key: string } & (
  | /** Duplicate while the first is delayed, ready or leased. */ { readonly mode?: 'pending' }
  | /** Duplicate for `ttl` from the first, whatever became of it. */ {
      readonly mode: 'window';
      readonly ttl: Duration;
    }
  | /** A waiting job takes over the new payload; while one runs, one follow-up waits for its end. */ {
      readonly mode: 'keep-last';
    }
  | /** A waiting job takes over the new payload and starts `wait` after the last call, at most `maxWait` after the first. */ {
      readonly mode: 'debounce';
      readonly wait: Duration;
      readonly maxWait?: Duration;
    }
);

/**
 * Fills in what a dedupe option leaves out.
 *
 * @throws InvalidOptionError, InvalidDurationError
 */
export function toDedupeSpec(option: string | DedupeOption): DedupeSpec {
  const given: DedupeOption = typeof option === 'string' ? { key: option } : option;
  if (typeof given.key !== 'string' || given.key.length < 1 || given.key.length > 500) {
    throw new InvalidOptionError('`dedupe` must have a key of 1 to 500 characters.');
  }
  if (given.mode === 'window') {
    return { key: given.key, mode: 'window', ttl: toMilliseconds(given.ttl, 'dedupe.ttl') };
  }
  if (given.mode === 'debounce') return toDebounceSpec(given.key, given.wait, given.maxWait);
  return { key: given.key, mode: given.mode ?? 'pending' };
}

function toDebounceSpec(key: string, wait: Duration, maxWait: Duration | undefined): DedupeSpec {
  const spec = { key, mode: 'debounce' as const, ttl: toMilliseconds(wait, 'dedupe.wait') };
  return maxWait === undefined ? spec : { ...spec, maxWait: toMilliseconds(maxWait, 'dedupe.maxWait') };
}
