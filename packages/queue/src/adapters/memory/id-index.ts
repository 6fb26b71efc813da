import type { JobRow } from '../engine/job-row.ts';

const smallest = 1_024;

/**
 * Jobs by id. Chained through the rows, whose hashes are kept, so that taking a job out touches its bucket and little else: with a million jobs
 * a Map reads several places that are in no cache, among them the texts of other ids.
 */
export class IdIndex {
  #buckets: (JobRow | undefined)[] = emptyBuckets(smallest);
  #size = 0;
  readonly #seed: number;

  /** @param seed - 32 bits that nobody outside knows, so that nobody can choose ids that meet in one bucket */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  get(id: string): JobRow | undefined {
    const hash = hashOf(id, this.#seed);
    let row = this.#buckets[hash & (this.#buckets.length - 1)];
    while (row !== undefined && (row.hash !== hash || row.id !== id)) row = row.collided;
    return row;
  }

  /** Adds a row whose id is not there yet. */
  add(row: JobRow): void {
    row.hash = hashOf(row.id, this.#seed);
    this.#size += 1;
    if (this.#size > this.#buckets.length) this.#grow();
    this.#put(row);
  }

  delete(row: JobRow): void {
    const at = row.hash & (this.#buckets.length - 1);
    let previous: JobRow | undefined;
    let other = this.#buckets[at];
    while (other !== undefined && other !== row) {
      previous = other;
      other = other.collided;
    }
    if (other === undefined) return;
    if (previous === undefined) this.#buckets[at] = row.collided;
    else previous.collided = row.collided;
    row.collided = undefined;
    this.#size -= 1;
  }

  /** In no order. */
  *values(): Generator<JobRow> {
    for (const first of this.#buckets) {
      for (let row = first; row !== undefined; row = row.collided) yield row;
    }
  }

  #put(row: JobRow): void {
    const at = row.hash & (this.#buckets.length - 1);
    row.collided = this.#buckets[at];
    this.#buckets[at] = row;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = emptyBuckets(old.length * 2);
    for (const first of old) {
      let row = first;
      while (row !== undefined) {
        const next: JobRow | undefined = row.collided;
        this.#put(row);
        row = next;
      }
    }
  }
}

function emptyBuckets(size: number): (JobRow | undefined)[] {
  return new Array<JobRow | undefined>(size).fill(undefined);
}

/** FNV-1a over the characters, its bits mixed at the end because only the lowest choose the bucket. Fits into a small integer. */
function hashOf(id: string, seed: number): number {
  let hash = seed;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x0100_0193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b_3c6d);
  hash ^= hash >>> 13;
  return hash & 0x3fff_ffff;
}
