import { OTHER } from './series.ts';

/** Candidates that are counted per place in the list: more make the estimate surer. */
const candidatesPerPlace = 16;

interface Candidate<T> {
  uses: number;
  /** What stands for the name while it is in the list. */
  listed: T | undefined;
}

/**
 * The busiest K of any number of names, in memory that does not grow: a name in the list stands for itself, every other one
 * for `__other__`, so that sums over the label stay right. Counting follows Misra & Gries, "Finding repeated elements"
 * (1982): with m counters each estimate is too low by at most n/(m+1); counters are halved at each refresh, so that the list
 * follows the present.
 */
export class TopK<T> {
  readonly #places: number;
  readonly #capacity: number;
  readonly #make: (label: string) => T;
  readonly #other: T;
  readonly #candidates = new Map<string, Candidate<T>>();
  #listed = 0;

  /** @param make - what stands for a label, e.g. its series; made when a name comes into the list */
  constructor(places: number, make: (label: string) => T) {
    this.#places = places;
    this.#capacity = Math.max(64, places * candidatesPerPlace);
    this.#make = make;
    this.#other = make(OTHER);
  }

  /** Counts one use of a name. */
  use(name: string): T {
    const candidate = this.#candidates.get(name) ?? this.#admit(name);
    if (candidate === undefined) return this.#other;
    candidate.uses += 1;
    return candidate.listed ?? this.#list(name, candidate);
  }

  /** What stands for a name, without counting it: for the second metric of the same use. */
  of(name: string): T {
    const candidate = this.#candidates.get(name);
    return candidate?.listed ?? this.#list(name, candidate);
  }

  /** Names the busiest anew. Call it now and then: at every scrape. */
  refresh(): void {
    const byUse = [...this.#candidates].sort(([, a], [, b]) => b.uses - a.uses);
    for (const [place, [name, candidate]] of byUse.entries()) {
      candidate.listed = place < this.#places ? (candidate.listed ?? this.#make(name)) : undefined;
      candidate.uses /= 2;
    }
    this.#listed = Math.min(this.#places, byUse.length);
  }

  /** Until the first refresh, and while there is room, whoever comes is listed. */
  #list(name: string, known: Candidate<T> | undefined): T {
    if (this.#listed >= this.#places) return this.#other;
    const candidate = known ?? this.#admit(name);
    if (candidate === undefined) return this.#other;
    this.#listed += 1;
    candidate.listed = this.#make(name);
    return candidate.listed;
  }

  /** A new candidate; or, where there is no room, one use less for all the others. Who is in the list stays until it is made anew. */
  #admit(name: string): Candidate<T> | undefined {
    if (this.#candidates.size < this.#capacity) {
      const candidate = { uses: 0, listed: undefined };
      this.#candidates.set(name, candidate);
      return candidate;
    }
    for (const [other, candidate] of this.#candidates) {
      if (candidate.uses > 1) candidate.uses -= 1;
      else if (candidate.listed === undefined) this.#candidates.delete(other);
    }
    return undefined;
  }
}
