import type { Clock } from './clock.ts';

/** Numbers of one maker within one millisecond: 36⁴, in 4 characters. */
const perTick = 36 ** 4;
const pairs = Array.from({ length: 36 ** 2 }, (_, n) => n.toString(36).padStart(2, '0'));

/**
 * Makes ids that sort by time of creation: 9 characters of milliseconds, 7 random ones per millisecond (base 36, 36 bits), 4 that count on from a
 * random start (15 bits). Ids of one maker never repeat: when the numbers of a millisecond are used up, the time goes on by one.
 */
export function createIdMaker(clock: Clock, random: () => number): () => string {
  let time = 0;
  let prefix = '';
  let next = 0;

  function begin(at: number): void {
    time = at;
    prefix =
      at.toString(36).padStart(9, '0') +
      Math.floor(random() * 36 ** 7)
        .toString(36)
        .padStart(7, '0');
    next = Math.floor(random() * 36 ** 3);
  }

  return () => {
    const now = Math.floor(clock.now());
    if (now > time) begin(now);
    else if (next >= perTick) begin(time + 1);
    const id = prefix + pairs[Math.floor(next / 1_296)] + pairs[next % 1_296];
    next += 1;
    return id;
  };
}
