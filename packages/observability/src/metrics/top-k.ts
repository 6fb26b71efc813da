import { OTHER } from './series.ts';

/** Candidates that are counted per place in the list: more make the estimate surer. */
const candidatesPerPlace = 16;

/**
 * The busiest K of any number of names, in memory that does not grow: a name in the list is its own label, every other one
 * is `__other__`, so that sums over the label stay right. Counting follows Misra & Gries, "Finding repeated elements"
 * (1982): with m counters each estimate is too low by at most n/(m+1); counters are halved at each refresh, so that the list
 * follows the present.
 */
export class TopK {
  readonly #places: number;
  readonly #capacity: number;
  readonly #counts = new Map<string, { uses: number }>();
  #listed = new Set<string>();

  constructor(places: number) {
    this.#places = places;
    this.#capacity = Math.max(64, places * candidatesPerPlace);
  }

  /** Counts one use of a name and answers the label that it has. */
  label(name: string): string {
    const candidate = this.#counts.get(name);
    if (candidate !== undefined) candidate.uses += 1;
    else this.#admit(name);
    return this.labelOf(name);
  }

  /** The label that a name has, without counting it: for the second metric of the same use. */
  labelOf(name: string): string {
    if (this.#listed.has(name)) return name;
    if (this.#listed.size >= this.#places) return OTHER;
    this.#listed.add(name);
    return name;
  }

  /** Names the busiest anew. Call it now and then: at every scrape. */
  refresh(): void {
    const busiest = [...this.#counts].sort(([, a], [, b]) => b.uses - a.uses).slice(0, this.#places);
    this.#listed = new Set(busiest.map(([name]) => name));
    for (const candidate of this.#counts.values()) candidate.uses /= 2;
  }

  #admit(name: string): void {
    if (this.#counts.size < this.#capacity) {
      this.#counts.set(name, { uses: 1 });
      return;
    }
    for (const [other, candidate] of this.#counts) {
      if (candidate.uses > 1) candidate.uses -= 1;
      else this.#counts.delete(other);
    }
  }
}
