import type { Codec } from '../codec.ts';
import { toMilliseconds } from '../duration.ts';
import { InvalidOptionError } from '../errors.ts';
import type { Opened } from '../opened.ts';
import { forAll } from './create-bulk.ts';
import { readPage } from './create-inspect.ts';
import type { DeadLetters, RedriveOptions } from './dead-letters.ts';

/** Creates `queue.deadLetters`. */
export function createDeadLetters(opened: Opened, codec: Codec): DeadLetters {
  const all = (): boolean => true;
  return {
    list: ({ filter, ...page } = {}) => readPage(opened, codec, { ...filter, state: 'dead' }, page),
    groups: ({ limit = 100, ...options } = {}) =>
      opened.call((storage) => storage.control('errorGroups', { limit }), options),
    redrive: async ({ filter, rate, ...options } = {}) => {
      const spacing = spacingOf(rate);
      return forAll(
        opened,
        { ...filter, state: 'dead' },
        all,
        (storage, ids, done) => storage.control('redrive', { ids, spacing, offset: done * spacing }),
        options,
      );
    },
    purge: ({ filter, ...options } = {}) =>
      forAll(opened, { ...filter, state: 'dead' }, all, (storage, ids) => storage.control('purge', { ids }), options),
  };
}

function spacingOf(rate: RedriveOptions['rate']): number {
  if (rate === undefined) return 0;
  if (!(rate.limit > 0)) throw new InvalidOptionError(`\`rate.limit\` must be above 0; it is ${rate.limit}.`);
  return toMilliseconds(rate.per, 'rate.per') / rate.limit;
}
