/** First a few: often there is no more than one. */
const firstSize = 2;

/**
 * Reads an order from the file while part of it lives, changed, in memory. The file does not change during a call, so rows read ahead stay
 * true for everything that is not live.
 */
export interface Ahead<Stored> {
  /** The next row that is not live. */
  peek(): Stored | undefined;
}

/**
 * Creates an {@link Ahead} at the start of its order.
 *
 * @param nextSize - how many rows to read when the first few were not enough
 */
export function createAhead<Stored>(
  read: (limit: number, offset: number) => Stored[],
  isLive: (stored: Stored) => boolean,
  nextSize: () => number,
): Ahead<Stored> {
  let rows: Stored[] = [];
  let next = 0;
  let offset = 0;
  let complete = false;

  function readMore(): void {
    const size = offset === 0 ? firstSize : nextSize();
    rows = read(size, offset);
    next = 0;
    offset += rows.length;
    complete = rows.length < size;
  }

  return {
    peek: () => {
      for (;;) {
        const stored = rows[next];
        if (stored !== undefined && !isLive(stored)) return stored;
        if (stored !== undefined) next += 1;
        else if (complete) return undefined;
        else readMore();
      }
    },
  };
}

/** Loads rows as long as the next one in the file comes before the best that is live. */
export function loadWhile<Stored, Row>(
  ahead: Ahead<Stored>,
  top: () => Row | undefined,
  before: (stored: Stored, top: Row) => boolean,
  load: (stored: Stored) => void,
): Row | undefined {
  for (let stored = ahead.peek(); stored !== undefined; stored = ahead.peek()) {
    const best = top();
    if (best !== undefined && !before(stored, best)) return best;
    load(stored);
  }
  return top();
}
