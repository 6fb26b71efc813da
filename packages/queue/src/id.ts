import type { Clock } from './clock.ts';

/**
 * Makes ids that sort by time of creation: 9 characters of milliseconds, 11 random ones (base 36, 56 bits).
 * Ids of one maker never repeat within a millisecond: the random part counts on.
 */
export function createIdMaker(clock: Clock, random: () => number): () => string {
  let lastTime = 0;
  let low = 0;
  return () => {
    const time = Math.max(Math.floor(clock.now()), lastTime);
    low = time === lastTime ? low + 1 : Math.floor(random() * 36 ** 6);
    lastTime = time;
    const high = Math.floor(random() * 36 ** 4);
    return (
      time.toString(36).padStart(9, '0') +
      (low % 36 ** 7).toString(36).padStart(7, '0') +
      high.toString(36).padStart(4, '0')
    );
  };
}
