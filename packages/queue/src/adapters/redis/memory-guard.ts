import type { RedisClient } from './client.ts';

/** Refuses new jobs before Redis itself refuses writes: what is running must still be able to end. */
export interface MemoryGuard {
  /** Milliseconds after which a refused producer may try again. */
  readonly retryAfter: number;
  isFull(): Promise<boolean>;
}

/** Milliseconds for which one look at the memory holds. */
const freshFor = 500;

/**
 * @param mark share of `maxmemory` above which nothing is enqueued
 * @param monotonic a clock in milliseconds
 */
export function createMemoryGuard(client: RedisClient, mark: number, monotonic: () => number): MemoryGuard {
  let full = false;
  let limited = true;
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;

  async function ask(): Promise<void> {
    askedAt = monotonic();
    const memory = readInfo(await client.info('memory'));
    const limit = Number(memory.get('maxmemory') ?? 0);
    limited = limit > 0;
    full = limited && Number(memory.get('used_memory') ?? 0) > limit * mark;
  }

  return {
    retryAfter: 1_000,
    async isFull() {
      // A server without a limit is asked again now and then: the limit can be set while it runs.
      if (monotonic() - askedAt < (limited ? freshFor : 30_000)) return full;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      // A look that fails refuses nothing: the enqueue itself will tell.
      if (askedAt === Number.NEGATIVE_INFINITY || full) await asking.catch(() => undefined);
      else asking.catch(() => undefined);
      return full;
    },
  };
}

/** Fields of a section of INFO. */
export function readInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
}
