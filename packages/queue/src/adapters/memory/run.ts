import type { LineRow } from '../engine/rows.ts';

/** So many gaps are not worth closing. */
const fewGaps = 1_024;

/**
 * Lines in the order of their scores, to which only a line with the highest score can be added: then all it takes is to append. Lines that are
 * taken out in between leave gaps, which are closed once they are more than half.
 */
export class Run {
  #lines: (LineRow | undefined)[] = [];
  #scores: number[] = [];
  #head = 0;
  #gaps = 0;

  get first(): LineRow | undefined {
    return this.#lines[this.#head];
  }

  /** Score of the first line; infinite when there is none. */
  get firstScore(): number {
    return this.#head < this.#scores.length ? (this.#scores[this.#head] as number) : Number.POSITIVE_INFINITY;
  }

  /** Only a line with at least this score may be appended; minus infinity when the run is empty. */
  get lastScore(): number {
    return this.#scores.length === 0 ? Number.NEGATIVE_INFINITY : (this.#scores[this.#scores.length - 1] as number);
  }

  append(line: LineRow): void {
    line.ringSlot = this.#lines.length;
    this.#lines.push(line);
    this.#scores.push(line.score);
  }

  remove(line: LineRow): void {
    this.#lines[line.ringSlot] = undefined;
    line.ringSlot = -1;
    this.#gaps += 1;
    while (this.#head < this.#lines.length && this.#lines[this.#head] === undefined) this.#head += 1;
    if (this.#head === this.#lines.length) this.#clear();
    else if (this.#gaps > fewGaps && this.#gaps * 2 > this.#lines.length) this.#close();
  }

  #clear(): void {
    // Not new arrays: a run of one line empties at each turn.
    this.#lines.length = 0;
    this.#scores.length = 0;
    this.#head = 0;
    this.#gaps = 0;
  }

  #close(): void {
    const rest = this.#lines.slice(this.#head);
    this.#clear();
    this.#lines = [];
    this.#scores = [];
    for (const line of rest) if (line !== undefined) this.append(line);
  }
}
