import type { TenantLimits } from '../../contract/index.ts';
import type { JobRow, TenantRow } from './rows.ts';
import type { Tables } from './tables.ts';

/** What the functions of the engine share during one call. */
export interface Call {
  readonly tables: Tables;
  /** Store time, the same for the whole call. */
  readonly now: number;
  /** Tenants whose place in the ring must be settled before the call ends. */
  readonly touched: Set<TenantRow>;
}

/** The tenant's limits in force: its own, field by field, before the defaults. */
export function limitsOf(call: Call, tenant: TenantRow): TenantLimits {
  return tenant.limits === noLimits
    ? call.tables.queue.settings.tenantDefaults
    : { ...call.tables.queue.settings.tenantDefaults, ...tenant.limits };
}

/** The limits of a tenant that has none of its own. */
export const noLimits: TenantLimits = {};

/** Counts the job as waiting, in the state that it has (`1`), or no longer (`-1`). */
export function countWaiting(call: Call, row: JobRow, step: 1 | -1): void {
  const tenant = call.tables.tenant(row.tenant);
  const { queue } = call.tables;
  if (row.state === 'ready') {
    tenant.ready += step;
    queue.ready += step;
  } else {
    tenant.delayed += step;
    queue.delayed += step;
  }
  tenant.waitingBytes += step * row.bytes;
  queue.waitingBytes += step * row.bytes;
  call.touched.add(tenant);
}

/** Puts a job that waits nowhere yet (new, or just taken from its worker) among the waiting. `readyAt` undefined: until released by another job. */
export function makeWaiting(call: Call, row: JobRow, readyAt: number | undefined): void {
  const { queue } = call.tables;
  const ready = readyAt !== undefined && readyAt <= call.now;
  row.state = ready ? 'ready' : 'delayed';
  row.readyAt = ready ? Math.max(readyAt, queue.lastReadyAt) : readyAt;
  if (ready) queue.lastReadyAt = row.readyAt ?? 0;
  countWaiting(call, row, 1);
}

/** Moves a delayed job to ready, or to another time. */
export function reschedule(call: Call, row: JobRow, readyAt: number): void {
  const before = row.state;
  countWaiting(call, row, -1);
  makeWaiting(call, row, readyAt);
  call.tables.saveJob(row, before);
}
