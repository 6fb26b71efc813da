/**
 * A binary heap whose items know their place in it, so that any of them can be moved or removed in O(log n).
 * `slot` names the numeric field of the item that holds its place (-1: not in the heap).
 */
export interface Heap<T> {
  readonly size: number;
  peek(): T | undefined;
  /** Adds the item, or moves it after its order has changed. */
  put(item: T): void;
  remove(item: T): void;
  /** Makes the order anew, after it has changed for many items. */
  rebuild(): void;
}

/** A field of `T` that holds a number. */
type NumericField<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T];

/**
 * @param slot - the numeric field of an item that holds its place
 * @param before - whether `a` comes before `b`
 */
export function createHeap<T, K extends NumericField<T>>(slot: K, before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];
  const at = (index: number): T => items[index] as T;
  const placeOf = (item: T): number => item[slot] as number;
  const set = (index: number, item: T): void => {
    items[index] = item;
    item[slot] = index as T[K];
  };

  function up(from: number, item: T): number {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(item, at(parent))) break;
      set(index, at(parent));
      index = parent;
    }
    set(index, item);
    return index;
  }

  function down(from: number, item: T): void {
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(at(child + 1), at(child))) child += 1;
      if (!before(at(child), item)) break;
      set(index, at(child));
      index = child;
    }
    set(index, item);
  }

  function put(item: T): void {
    const index = placeOf(item);
    if (index < 0) {
      items.push(item);
      up(items.length - 1, item);
    } else if (up(index, item) === index) {
      down(index, item);
    }
  }

  function remove(item: T): void {
    const index = placeOf(item);
    if (index < 0) return;
    item[slot] = -1 as T[K];
    const last = items.pop() as T;
    if (last !== item) {
      set(index, last);
      put(last);
    }
  }

  return {
    get size() {
      return items.length;
    },
    peek: () => items[0],
    put,
    remove,
    rebuild: () => {
      for (let index = (items.length >> 1) - 1; index >= 0; index -= 1) down(index, at(index));
    },
  };
}
