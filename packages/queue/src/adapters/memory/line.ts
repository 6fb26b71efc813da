/**
 * A first-in-first-out line whose items know their place (`slot`), so that one in the middle can be taken out in O(1).
 * Items before `head` are consumed or gaps; they are cut off once they are more than half, which keeps taking amortised O(1).
 */
export interface Line<T> {
  readonly size: number;
  first(): T | undefined;
  push(item: T): void;
  /** Puts an item back that was first once: before the first that `before` does not put ahead of it. */
  putBack(item: T, before: (a: T, b: T) => boolean): void;
  remove(item: T): void;
}

/** Creates an empty {@link Line}. */
export function createLine<T extends { slot: number }>(): Line<T> {
  const items: (T | undefined)[] = [];
  /** Place of `items[0]`, so that places stay right when the consumed are cut off. */
  let base = 0;
  let head = 0;
  let size = 0;

  const set = (index: number, item: T): void => {
    items[index] = item;
    item.slot = base + index;
  };

  function skipGaps(): void {
    while (head < items.length && items[head] === undefined) head += 1;
    if (head > 1_024 && head * 2 > items.length) {
      items.splice(0, head);
      base += head;
      head = 0;
    }
  }

  function putBack(item: T, before: (a: T, b: T) => boolean): void {
    if (head === 0) {
      items.unshift(undefined);
      base -= 1;
      head = 1;
    }
    let index = head - 1;
    for (let next = index + 1; next < items.length; next += 1) {
      const other = items[next];
      if (other !== undefined && before(item, other)) break;
      if (other !== undefined) set(index, other);
      else items[index] = undefined;
      index = next;
    }
    set(index, item);
    head -= 1;
    size += 1;
    skipGaps();
  }

  return {
    get size() {
      return size;
    },
    first: () => items[head],
    push: (item) => {
      set(items.length, item);
      size += 1;
    },
    putBack,
    remove: (item) => {
      items[item.slot - base] = undefined;
      item.slot = -1;
      size -= 1;
      skipGaps();
    },
  };
}
