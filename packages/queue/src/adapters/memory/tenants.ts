import { noLimits } from '../engine/call.ts';
import type { LineRow, TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { createHeap } from './heap.ts';
import { firstOf, peekWhile } from './reading.ts';

type TenantTables = Pick<Tables, 'tenant' | 'saveTenant' | 'parkedBefore' | 'heldTenants'> & {
  nextParked(): number | undefined;
  readonly all: ReadonlyMap<string, TenantRow>;
  /** Forgets a few idle tenants, so that their number does not grow with all that ever were. Between engine calls only. */
  dropIdle(vclock: number, now: number): void;
};

function isIdle(row: TenantRow): boolean {
  const busy = row.ready > 0 || row.leased > 0 || row.delayed > 0;
  return !busy && row.limits === noLimits && !row.paused && row.spent === 0;
}

/** A tenant of which nothing is known. */
export function newTenant(name: string): TenantRow {
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
    held: false,
    parkedUntil: undefined,
    touched: false,
    parkSlot: -1,
    lines: undefined,
  };
}

/** A line that has no jobs. */
export function newLine(tenant: TenantRow, priority: number): LineRow {
  return { tenant, priority, score: 0, state: 'new', ringRun: 0, ringSlot: -1 };
}

/** Tenants, and those parked until a time. */
export function createTenantTables(): TenantTables {
  const tenants = new Map<string, TenantRow>();
  const parked = createHeap<TenantRow, 'parkSlot'>('parkSlot', (a, b) => (a.parkedUntil ?? 0) < (b.parkedUntil ?? 0));
  const held = new Set<TenantRow>();
  /** Tenants with nothing to remember but their virtual time, oldest first. */
  const idle = new Set<TenantRow>();

  function drop(row: TenantRow): void {
    tenants.delete(row.name);
    held.delete(row);
    parked.remove(row);
  }

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
      if (row.parkedUntil !== undefined) parked.put(row);
      else parked.remove(row);
      if (row.held) held.add(row);
      else if (held.size > 0) held.delete(row);
      if (isIdle(row)) idle.add(row);
      else if (idle.size > 0) idle.delete(row);
    },
    parkedBefore: (now, limit) => peekWhile(parked, limit, (row) => (row.parkedUntil ?? 0) <= now),
    heldTenants: () => [...held],
    nextParked: () => parked.peek()?.parkedUntil,
    dropIdle: (vclock, now) => {
      if (idle.size === 0) return;
      for (const row of firstOf(idle, 8)) {
        if (!isIdle(row)) idle.delete(row);
        else if (row.vtime <= vclock && row.tat <= now) {
          idle.delete(row);
          drop(row);
        }
      }
    },
  };
}
