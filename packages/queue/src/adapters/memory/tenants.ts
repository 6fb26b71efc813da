import { noLimits } from '../engine/call.ts';
import type { TenantRow } from '../engine/rows.ts';
import { stepOf, type Tables } from '../engine/tables.ts';
import { createHeap } from './heap.ts';
import { firstOf, peekWhile } from './reading.ts';

type TenantTables = Pick<Tables, 'tenant' | 'saveTenant' | 'ringTop' | 'ringUrgent' | 'parkedBefore'> & {
  nextParked(): number | undefined;
  readonly all: ReadonlyMap<string, TenantRow>;
  reorder(): void;
  /** Forgets a few idle tenants, so that their number does not grow with all that ever were. Between engine calls only. */
  dropIdle(vclock: number, now: number): void;
};

function isIdle(row: TenantRow): boolean {
  const busy = row.ready > 0 || row.leased > 0 || row.delayed > 0;
  return !busy && row.limits === noLimits && !row.paused && row.spent === 0;
}

function newTenant(name: string): TenantRow {
  return {
    name,
    limits: noLimits,
    paused: false,
    ready: 0,
    delayed: 0,
    leased: 0,
    waitingBytes: 0,
    vtime: 0,
    tat: 0,
    spent: 0,
    window: 0,
    ringed: false,
    headClass: 0,
    since: 0,
    parkedUntil: undefined,
    ringSlot: -1,
    urgentSlot: -1,
    parkSlot: -1,
  };
}

/** Tenants, the ring of those that may claim, and those parked until a time. */
export function createTenantTables(aging: () => number): TenantTables {
  const tenants = new Map<string, TenantRow>();
  const ring = createHeap<TenantRow, 'ringSlot'>('ringSlot', (a, b) =>
    a.headClass === b.headClass ? a.vtime < b.vtime : a.headClass > b.headClass,
  );
  const urgencyOf = (row: TenantRow): number => row.since - row.headClass * stepOf(aging());
  const urgent = createHeap<TenantRow, 'urgentSlot'>('urgentSlot', (a, b) => urgencyOf(a) < urgencyOf(b));
  const parked = createHeap<TenantRow, 'parkSlot'>('parkSlot', (a, b) => (a.parkedUntil ?? 0) < (b.parkedUntil ?? 0));

  /** Tenants with nothing to remember but their virtual time, oldest first. */
  const idle = new Set<TenantRow>();

  return {
    all: tenants,
    tenant: (name) => {
      const known = tenants.get(name);
      if (known !== undefined) return known;
      const made = newTenant(name);
      tenants.set(name, made);
      return made;
    },
    saveTenant: (row) => {
      if (row.ringed) {
        ring.put(row);
        urgent.put(row);
      } else if (row.ringSlot >= 0) {
        ring.remove(row);
        urgent.remove(row);
      }
      if (row.parkedUntil !== undefined) parked.put(row);
      else parked.remove(row);
      if (isIdle(row)) idle.add(row);
      else if (idle.size > 0) idle.delete(row);
    },
    ringTop: ring.peek,
    ringUrgent: urgent.peek,
    parkedBefore: (now, limit) => peekWhile(parked, limit, (row) => (row.parkedUntil ?? 0) <= now),
    nextParked: () => parked.peek()?.parkedUntil,
    reorder: urgent.rebuild,
    dropIdle: (vclock, now) => {
      for (const row of firstOf(idle, 8)) {
        if (!isIdle(row)) idle.delete(row);
        else if (row.vtime <= vclock && row.tat <= now) {
          idle.delete(row);
          tenants.delete(row.name);
        }
      }
    },
  };
}
