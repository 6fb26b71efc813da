import type { ControlInput, QueueSettings, TenantView } from '../../contract/index.ts';
import { type Call, noLimits, touch } from './call.ts';
import { tenantView } from './look.ts';
import { letIn } from './ring.ts';

/** Merges field by field; `undefined` removes a bound. */
function merge<T extends object>(present: T, patch: T): T {
  const merged = Object.entries({ ...present, ...patch }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(merged) as T;
}

/** Changes the stored settings. */
export function configure(call: Call, input: ControlInput<'configure'>): QueueSettings {
  const { tables } = call;
  const before = tables.queue.settings;
  const settings: QueueSettings = {
    limits: merge(before.limits, input.limits ?? {}),
    tenantDefaults: merge(before.tenantDefaults, input.tenantDefaults ?? {}),
    aging: input.aging ?? before.aging,
    retention: { ...before.retention, ...input.retention },
  };
  tables.queue.settings = settings;
  if (settings.aging !== before.aging) tables.reorder();
  // Whom the old defaults held may run now; whom only the new ones hold is found out at its next turn.
  if (input.tenantDefaults !== undefined) for (const tenant of tables.heldTenants()) call.freed.add(tenant);
  return settings;
}

/** Changes a tenant's own limits. */
export function limitTenant(call: Call, { tenant, limits }: ControlInput<'limitTenant'>): TenantView {
  const row = call.tables.tenant(tenant);
  const merged = merge(row.limits, limits);
  row.limits = Object.keys(merged).length === 0 ? noLimits : merged;
  touch(call, row);
  letIn(call, row);
  return tenantView(call, row);
}

/** Nothing (of the tenant) is claimed until {@link resume}. */
export function pause(call: Call, { tenant }: ControlInput<'pause'>): void {
  setPaused(call, tenant, true);
}

/** The end of {@link pause}. */
export function resume(call: Call, { tenant }: ControlInput<'resume'>): void {
  setPaused(call, tenant, false);
}

function setPaused(call: Call, tenant: string | undefined, paused: boolean): void {
  if (tenant === undefined) {
    call.tables.queue.paused = paused;
    return;
  }
  const row = call.tables.tenant(tenant);
  row.paused = paused;
  touch(call, row);
  if (!paused) call.freed.add(row);
}
