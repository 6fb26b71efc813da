import type { LineRow } from '../engine/rows.ts';
import type { Heap } from './heap.ts';

/** Children of a place. Four scores lie in one cache line or two, so a heap of 100,000 lines is 9 levels and few misses deep. */
const width = 4;

/** A {@link Heap} of lines by score. The scores lie side by side in an array of their own: comparing touches no line. */
export function createRingHeap(): Heap<LineRow> {
  const lines: LineRow[] = [];
  const scores: number[] = [];

  function set(index: number, line: LineRow, score: number): void {
    lines[index] = line;
    scores[index] = score;
    line.ringSlot = index;
  }

  function up(from: number, score: number): number {
    let index = from;
    while (index > 0) {
      const parent = Math.floor((index - 1) / width);
      const above = scores[parent] as number;
      if (above <= score) break;
      set(index, lines[parent] as LineRow, above);
      index = parent;
    }
    return index;
  }

  function leastChild(index: number): number {
    const first = index * width + 1;
    const last = Math.min(first + width, scores.length);
    let least = first;
    for (let child = first + 1; child < last; child += 1) {
      if ((scores[child] as number) < (scores[least] as number)) least = child;
    }
    return least;
  }

  function down(from: number, score: number): number {
    let index = from;
    for (;;) {
      const child = leastChild(index);
      if (child >= scores.length) break;
      const below = scores[child] as number;
      if (below >= score) break;
      set(index, lines[child] as LineRow, below);
      index = child;
    }
    return index;
  }

  /** Finds the place of a line whose present place is free or its own. */
  function settle(index: number, line: LineRow): void {
    const { score } = line;
    const above = up(index, score);
    set(above === index ? down(index, score) : above, line, score);
  }

  return {
    get size() {
      return lines.length;
    },
    peek: () => lines[0],
    put: (line) => settle(line.ringSlot < 0 ? lines.length : line.ringSlot, line),
    remove: (line) => {
      const index = line.ringSlot;
      if (index < 0) return;
      line.ringSlot = -1;
      const last = lines.pop() as LineRow;
      scores.pop();
      if (last !== line) settle(index, last);
    },
    rebuild: () => {
      for (const line of [...lines]) settle(line.ringSlot, line);
    },
  };
}
