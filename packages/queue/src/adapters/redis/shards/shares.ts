import { setTimeout as sleep } from 'node:timers/promises';
import type { QueueLimits, QueueSettings } from '../../../contract/index.ts';
import type { RunControl } from '../control.ts';
import { divide } from './divide.ts';

/** Settings of the queue, as its first shard has them. */
export interface Settled {
  readonly settings: QueueSettings;
  readonly settingsVersion: number;
  readonly limitsVersion: number;
}

/** More room for waiting jobs that a shard has been asked for. */
export interface Need {
  readonly jobs: number;
  readonly bytes: number;
}

/** How much of the marks for waiting jobs is not in use, in all shards together. */
export interface Free {
  readonly jobs: number;
  readonly bytes: number;
}

/** Divides the limits of the queue among its shards. */
export interface Shares {
  /** Divides anew by what each shard has to do; calls at the same time go together. Answers what is free then; undefined: others were dividing all the time. */
  divide(needs?: ReadonlyMap<number, Need>): Promise<Free | undefined>;
}

/** Parts of limits, whole numbers; absent where the queue has no such limit. */
interface Parts {
  readonly maxLeased?: number | undefined;
  readonly maxWaiting?: number | undefined;
  readonly maxWaitingBytes?: number | undefined;
  /** Tokens of the rate; the same part of its refill goes with them. */
  readonly burst?: number | undefined;
}
type Field = keyof Parts;

/** A shard, as it was seen under this epoch. */
interface Seen {
  leased: number;
  readonly ready: number;
  waiting: number;
  bytes: number;
  /** Taken out of the shard: to be given to who can use them. */
  readonly tokens: number;
  parts: Parts;
}

interface Look {
  readonly late?: boolean;
  readonly leased: number;
  readonly ready: number;
  readonly waiting: number;
  readonly bytes: number;
  readonly share?: QueueLimits;
  readonly tokens: number;
}

/** Somebody divides under a later epoch. */
class Late extends Error {}

/** How often to begin anew when others were faster. */
const tries = 6;

/**
 * Creates {@link Shares}. One division: an epoch from the first shard; a look at every shard, after which none obeys an older epoch; then shares are made smaller
 * where they shall be; then, of what is known to be free by now, larger. Whoever stops in between leaves a part of the limits unused, never used twice.
 */
export function createShares(runs: readonly RunControl[]): Shares {
  let waiting = new Map<number, Need>();
  let running: Promise<unknown> | undefined;
  let next: Promise<Free | undefined> | undefined;

  async function ask<T>(shard: number, operation: string, input: object): Promise<T> {
    const answer = JSON.parse(String(await runs[shard]?.(operation, input))) as T & { readonly late?: boolean };
    if (answer.late === true) throw new Late();
    return answer;
  }

  async function divideOnce(needs: ReadonlyMap<number, Need>): Promise<Free> {
    const { epoch, ...settled } = await ask<Settled & { readonly epoch: number }>(0, 'beginShares', {});
    const { limits } = settled.settings;
    const seen = await Promise.all(
      runs.map(async (_, shard) => toSeen(await ask<Look>(shard, 'lookShares', { epoch, ...settled }))),
    );
    const wanted = wantedParts(limits, seen, needs, epoch);
    const set = async (shard: number, parts: Parts, tokens: number): Promise<void> => {
      const input = { epoch, limitsVersion: settled.limitsVersion, limits: toLimits(limits, parts), tokens };
      const one = seen[shard] as Seen;
      Object.assign(one, await ask<Pick<Seen, 'leased' | 'waiting' | 'bytes'>>(shard, 'setShare', input), { parts });
    };
    await Promise.all(
      seen.map(async ({ parts }, shard) => {
        const less = lesser(parts, wanted[shard] ?? {});
        if (!isSame(less, parts)) await set(shard, less, 0);
      }),
    );
    const room = roomOf(limits, seen);
    const tokens = dealTokens(seen, wanted, epoch);
    await Promise.all(
      seen.map(async ({ parts }, shard) => {
        const more = grown(parts, wanted[shard] ?? {}, room);
        if (!isSame(more, parts) || limits.rate !== undefined) await set(shard, more, tokens[shard] ?? 0);
      }),
    );
    return freeOf(limits, seen);
  }

  async function divideUntilDone(): Promise<Free | undefined> {
    const needs = waiting;
    waiting = new Map();
    for (let left = tries; left > 0; left -= 1) {
      try {
        return await divideOnce(needs);
      } catch (error) {
        if (!(error instanceof Late)) throw error;
        await sleep(2 + Math.random() * 10);
      }
    }
    return undefined;
  }

  return {
    divide(needs = new Map()) {
      for (const [shard, { jobs, bytes }] of needs) {
        const known = waiting.get(shard) ?? { jobs: 0, bytes: 0 };
        waiting.set(shard, { jobs: known.jobs + jobs, bytes: known.bytes + bytes });
      }
      // One under way does not know of these needs.
      next ??= Promise.resolve(running)
        .catch(() => undefined)
        .then(() => {
          const mine = divideUntilDone();
          next = undefined;
          running = mine;
          return mine;
        });
      return next;
    },
  };
}

function toSeen({ share, ...look }: Look): Seen {
  const { rate, ...stocks } = share ?? {};
  return { ...look, parts: { ...(stocks as Parts), ...(rate !== undefined && { burst: rate.burst ?? rate.limit }) } };
}

function burstOf({ limit, burst }: NonNullable<QueueLimits['rate']>): number {
  return Math.max(1, Math.floor(burst ?? limit));
}

/** What each shard should have. */
function wantedParts(
  limits: QueueLimits,
  seen: readonly Seen[],
  needs: ReadonlyMap<number, Need>,
  turn: number,
): readonly Parts[] {
  const columns: [Field, number[]][] = [];
  const add = (field: Field, total: number | undefined, wanted: readonly number[]): void => {
    if (total !== undefined) columns.push([field, divide(total, wanted, turn)]);
  };
  add(
    'maxLeased',
    limits.maxLeased,
    seen.map(({ leased, ready }) => leased + ready),
  );
  add(
    'maxWaiting',
    limits.maxWaiting,
    seen.map((one, shard) => one.waiting + (needs.get(shard)?.jobs ?? 0)),
  );
  add(
    'maxWaitingBytes',
    limits.maxWaitingBytes,
    seen.map((one, shard) => one.bytes + (needs.get(shard)?.bytes ?? 0)),
  );
  add(
    'burst',
    limits.rate && burstOf(limits.rate),
    seen.map(({ ready }) => ready),
  );
  return seen.map((_, shard) => Object.fromEntries(columns.map(([field, shares]) => [field, shares[shard] ?? 0])));
}

/** The share as the store keeps it. */
function toLimits({ rate }: QueueLimits, { burst, ...stocks }: Parts): QueueLimits {
  if (rate === undefined) return stocks;
  const part = (burst ?? 0) / burstOf(rate);
  return { ...stocks, rate: { limit: rate.limit * part, per: rate.per, burst: burst ?? 0 } };
}

/** How much of a limit a shard uses, whatever its share: a share may be made smaller than what is in use. */
function usedOf(one: Seen, field: Field): number {
  if (field === 'maxLeased') return one.leased;
  if (field === 'maxWaiting') return one.waiting;
  return field === 'maxWaitingBytes' ? one.bytes : 0;
}

/** What may still be given out. */
function roomOf(limits: QueueLimits, seen: readonly Seen[]): Map<Field, number> {
  const totals: Parts = { ...withoutRate(limits), ...(limits.rate !== undefined && { burst: burstOf(limits.rate) }) };
  const room = new Map<Field, number>();
  for (const [field, total] of Object.entries(totals) as [Field, number | undefined][]) {
    if (total === undefined) continue;
    const bound = seen.reduce((sum, one) => sum + Math.max(one.parts[field] ?? 0, usedOf(one, field)), 0);
    room.set(field, total - bound);
  }
  return room;
}

function withoutRate({ rate: _, ...stocks }: QueueLimits): Omit<QueueLimits, 'rate'> {
  return stocks;
}

function lesser(present: Parts, wanted: Parts): Parts {
  return Object.fromEntries(
    Object.entries(present).flatMap(([field, part]) =>
      wanted[field as Field] === undefined ? [] : [[field, Math.min(part, wanted[field as Field] as number)]],
    ),
  );
}

/** As far as there is room; what is given is taken out of it. */
function grown(present: Parts, wanted: Parts, room: Map<Field, number>): Parts {
  const parts: [string, number][] = [];
  for (const [name, part] of Object.entries(wanted)) {
    const field = name as Field;
    const now = present[field] ?? 0;
    const more = Math.max(0, Math.min(part - now, room.get(field) ?? 0));
    room.set(field, (room.get(field) ?? 0) - more);
    parts.push([field, now + more]);
  }
  return Object.fromEntries(parts);
}

function isSame(one: Parts, other: Parts): boolean {
  return JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());
}

/** Whole tokens go one by one to shards with work: parts of one here and there would start nothing. */
function dealTokens(seen: readonly Seen[], wanted: readonly Parts[], turn: number): readonly number[] {
  let left = seen.reduce((sum, { tokens }) => sum + tokens, 0);
  const given = seen.map(() => 0);
  const order = seen.map((_, index) => (index + turn) % seen.length);
  const busy = order.filter((shard) => (seen[shard]?.ready ?? 0) > 0);
  const row = busy.length > 0 ? busy : order;
  for (let open = row; left > 0 && open.length > 0; ) {
    open = open.filter((shard) => (given[shard] ?? 0) < (wanted[shard]?.burst ?? 0));
    for (const shard of open) {
      const token = Math.min(1, left, (wanted[shard]?.burst ?? 0) - (given[shard] ?? 0));
      given[shard] = (given[shard] ?? 0) + token;
      left -= token;
    }
  }
  return given;
}

function freeOf({ maxWaiting, maxWaitingBytes }: QueueLimits, seen: readonly Seen[]): Free {
  const sum = (field: 'waiting' | 'bytes'): number => seen.reduce((total, one) => total + one[field], 0);
  return {
    jobs: (maxWaiting ?? Number.POSITIVE_INFINITY) - sum('waiting'),
    bytes: (maxWaitingBytes ?? Number.POSITIVE_INFINITY) - sum('bytes'),
  };
}
