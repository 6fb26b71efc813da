import type { Heap } from './heap.ts';

/** The first `limit` items of a heap in order, as long as `due` says so. The heap is left as it was. */
export function peekWhile<T>(heap: Heap<T>, limit: number, due: (item: T) => boolean): T[] {
  const found: T[] = [];
  for (let top = heap.peek(); top !== undefined && found.length < limit && due(top); top = heap.peek()) {
    found.push(top);
    heap.remove(top);
  }
  for (const item of found) heap.put(item);
  return found;
}

/** The first `limit` items. */
export function firstOf<T>(items: Iterable<T>, limit: number): T[] {
  const found: T[] = [];
  if (limit <= 0) return found;
  for (const item of items) {
    found.push(item);
    if (found.length >= limit) break;
  }
  return found;
}
