/**
 * The shard of a tenant: FNV-1a over the UTF-16 units, mixed, modulo the number of shards. Part of the layout: another hash would lead tenants away from their jobs.
 */
export function shardOfTenant(tenant: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < tenant.length; index += 1) {
    hash = Math.imul(hash ^ tenant.charCodeAt(index), 0x01000193);
  }
  // The low bits of short names differ little before this.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) % shards;
}

/** The shard of a lease: a shard's fences are its number modulo the number of shards. */
export function shardOfFence(fence: number, shards: number): number {
  return fence % shards;
}

/** Sorts items by shard. */
export function byShard<T>(items: readonly T[], shards: number, shardOf: (item: T) => number): T[][] {
  const groups: T[][] = Array.from({ length: shards }, () => []);
  for (const item of items) groups[shardOf(item)]?.push(item);
  return groups;
}

/** Puts answers that came shard by shard into the order of the items. */
export function inOrder<T, A>(
  items: readonly T[],
  shardOf: (item: T) => number,
  answers: readonly (readonly A[])[],
): A[] {
  const next = answers.map(() => 0);
  return items.map((item) => {
    const shard = shardOf(item);
    const place = next[shard] ?? 0;
    next[shard] = place + 1;
    return answers[shard]?.[place] as A;
  });
}
