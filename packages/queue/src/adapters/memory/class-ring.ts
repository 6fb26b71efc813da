import type { LineRow } from '../engine/rows.ts';
import { createRingHeap } from './ring-heap.ts';
import { Run } from './run.ts';

/** As many different steps of virtual time (cost ÷ weight) go without a heap. */
const mostRuns = 4;

/**
 * The lines of one class by score. Who was served comes back with a higher score than most, the highest among those that move on by the same step:
 * so there are a few runs, to which lines are appended, and a heap for what fits into none. A hundred thousand like tenants take turns in O(1),
 * and nothing is touched but the line itself.
 */
export class ClassRing {
  readonly #runs: Run[] = [new Run()];
  #rest: ReturnType<typeof createRingHeap> | undefined;

  /** The line with the least score. */
  peek(): LineRow | undefined {
    let least = this.#rest?.peek();
    let score = least?.score ?? Number.POSITIVE_INFINITY;
    for (const run of this.#runs) {
      if (run.firstScore >= score) continue;
      least = run.first;
      score = run.firstScore;
    }
    return least;
  }

  /** Adds the line, or moves it after its score has changed. */
  put(line: LineRow): void {
    this.remove(line);
    line.ringRun = this.#runFor(line.score);
    const run = this.#runs[line.ringRun];
    if (run !== undefined) {
      run.append(line);
      return;
    }
    this.#rest ??= createRingHeap();
    this.#rest.put(line);
  }

  remove(line: LineRow): void {
    if (line.ringSlot < 0) return;
    const run = this.#runs[line.ringRun];
    if (run === undefined) this.#rest?.remove(line);
    else run.remove(line);
  }

  /** The run whose last score is the highest that is not above this one; `mostRuns` when there is none. */
  #runFor(score: number): number {
    let best = mostRuns;
    let highest = Number.NEGATIVE_INFINITY;
    for (const [index, { lastScore }] of this.#runs.entries()) {
      if (lastScore > score || (best < mostRuns && lastScore <= highest)) continue;
      best = index;
      highest = lastScore;
    }
    if (best < mostRuns || this.#runs.length === mostRuns) return best;
    return this.#runs.push(new Run()) - 1;
  }
}
