import type { Clock } from './clock.ts';

/** Numbers of one maker within one millisecond: 36⁴, in 4 characters. */
const perTick = 36 ** 4;
const digits = Array.from({ length: 36 }, (_, n) => n.toString(36).charCodeAt(0));
const codesOf = (text: string): number[] => Array.from(text, (digit) => digit.charCodeAt(0));

/**
 * Makes ids that sort by time of creation: 9 characters of milliseconds, 7 random ones per millisecond (base 36, 36 bits), 4 that count on from a
 * random start (15 bits). Ids of one maker never repeat: when the numbers of a millisecond are used up, the time goes on by one.
 */
export function createIdMaker(clock: Clock, random: () => number): () => string {
  let time = 0;
  /** The characters, the last four to be filled in. An id put together from strings would be a tree of them, which costs more than all else when it is looked up. */
  let codes: number[] = [];
  let next = 0;

  function begin(at: number): void {
    time = at;
    const unique = Math.floor(random() * 36 ** 7).toString(36);
    codes = codesOf(`${at.toString(36).padStart(9, '0')}${unique.padStart(7, '0')}0000`);
    next = Math.floor(random() * 36 ** 3);
  }

  return () => {
    const now = Math.floor(clock.now());
    if (now > time) begin(now);
    else if (next >= perTick) begin(time + 1);
    let rest = next;
    for (let index = 19; index > 15; index -= 1) {
      codes[index] = digits[rest % 36] as number;
      rest = Math.floor(rest / 36);
    }
    next += 1;
    return String.fromCharCode(...codes);
  };
}
