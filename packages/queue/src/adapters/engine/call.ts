import type { TenantLimits } from '../../contract/index.ts';
import type { JobRow } from './job-row.ts';
import type { LineRow, TenantRow } from './rows.ts';
import type { Tables } from './tables.ts';

/** What the functions of the engine share during one call. */
export interface Call {
  readonly tables: Tables;
  /** Store time, the same for the whole call. */
  readonly now: number;
  /** Tenants that are to be saved before the call ends. */
  readonly touched: TenantRow[];
  /** Tenants of which a hold may be over. */
  readonly freed: Set<TenantRow>;
  /** Lines that may have lost their last job. */
  readonly shrunk: Set<LineRow>;
}

/** A call that has done nothing yet. */
export function createCall(tables: Tables, now: number): Call {
  return { tables, now: Math.floor(now), touched: [], freed: new Set(), shrunk: new Set() };
}

/** The tenant's limits in force: its own, field by field, before the defaults. */
export function limitsOf(call: Call, tenant: TenantRow): TenantLimits {
  return tenant.limits === noLimits
    ? call.tables.queue.settings.tenantDefaults
    : { ...call.tables.queue.settings.tenantDefaults, ...tenant.limits };
}

/** The limits of a tenant that has none of its own. */
export const noLimits: TenantLimits = {};

/** The tenant of a job. */
export function tenantOf({ tables }: Call, row: JobRow): TenantRow {
  return row.home ?? tables.tenant(row.tenant);
}

/** The tenant has changed: it is saved before the call ends. */
export function touch(call: Call, tenant: TenantRow): void {
  if (tenant.touched) return;
  tenant.touched = true;
  call.touched.push(tenant);
}
