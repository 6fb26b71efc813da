import type { JobPlace, JobRow } from '../engine/job-row.ts';

/**
 * A first-in-first-out line, strung through the jobs themselves: a job is taken out anywhere in O(1), and a line of one job, of which
 * there may be a hundred thousand, is one small object.
 */
export class Line implements JobPlace {
  first: JobRow | undefined = undefined;
  #last: JobRow | undefined = undefined;

  push(row: JobRow): void {
    this.#link(row, this.#last, undefined);
  }

  /** Puts a job between others, where `before` says; looked for from both ends, since it belongs near one of them. */
  insert(row: JobRow, before: (a: JobRow, b: JobRow) => boolean): void {
    let front = this.first;
    let back = this.#last;
    while (front !== undefined && back !== undefined) {
      if (before(row, front)) break;
      if (!before(row, back)) {
        this.#link(row, back, back.next);
        return;
      }
      front = front.next;
      back = back.previous;
    }
    this.#link(row, front === undefined ? this.#last : front.previous, front);
  }

  remove(row: JobRow): void {
    const { previous, next } = row;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    row.previous = undefined;
    row.next = undefined;
  }

  #link(row: JobRow, previous: JobRow | undefined, next: JobRow | undefined): void {
    row.previous = previous;
    row.next = next;
    if (previous === undefined) this.first = row;
    else previous.next = row;
    if (next === undefined) this.#last = row;
    else next.previous = row;
  }
}
