import { OTHER } from './series.ts';

/** Candidates that are counted per place in the list: more make the estimate surer. */
const candidatesPerPlace = 16;

interface Candidate {
  uses: number;
  isListed: boolean;
}

/**
 * The busiest K of any number of names, in memory that does not grow: a name in the list is its own label, every other one
 * is `__other__`, so that sums over the label stay right. Counting follows Misra & Gries, "Finding repeated elements"
 * (1982): with m counters each estimate is too low by at most n/(m+1); counters are halved at each refresh, so that the list
 * follows the present.
 */
export class TopK {
  readonly #places: number;
  readonly #capacity: number;
  readonly #candidates = new Map<string, Candidate>();
  #listed = 0;

  constructor(places: number) {
    this.#places = places;
    this.#capacity = Math.max(64, places * candidatesPerPlace);
  }

  /** Counts one use of a name and answers the label that it has. */
  label(name: string): string {
    const candidate = this.#candidates.get(name) ?? this.#admit(name);
    if (candidate === undefined) return OTHER;
    candidate.uses += 1;
    return candidate.isListed ? name : this.#list(name, candidate);
  }

  /** The label that a name has, without counting it: for the second metric of the same use. */
  labelOf(name: string): string {
    const candidate = this.#candidates.get(name);
    return candidate?.isListed === true ? name : this.#list(name, candidate);
  }

  /** Names the busiest anew. Call it now and then: at every scrape. */
  refresh(): void {
    const byUse = [...this.#candidates.values()].sort((a, b) => b.uses - a.uses);
    for (const [place, candidate] of byUse.entries()) {
      candidate.isListed = place < this.#places;
      candidate.uses /= 2;
    }
    this.#listed = Math.min(this.#places, byUse.length);
  }

  /** Until the first refresh, and while there is room, whoever comes is listed. */
  #list(name: string, known: Candidate | undefined): string {
    if (this.#listed >= this.#places) return OTHER;
    const candidate = known ?? this.#admit(name);
    if (candidate === undefined) return OTHER;
    this.#listed += 1;
    candidate.isListed = true;
    return name;
  }

  /** A new candidate; or, where there is no room, one use less for all the others. Who is in the list stays until it is made anew. */
  #admit(name: string): Candidate | undefined {
    if (this.#candidates.size < this.#capacity) {
      const candidate = { uses: 0, isListed: false };
      this.#candidates.set(name, candidate);
      return candidate;
    }
    for (const [other, candidate] of this.#candidates) {
      if (candidate.uses > 1) candidate.uses -= 1;
      else if (!candidate.isListed) this.#candidates.delete(other);
    }
    return undefined;
  }
}
