import { type Call, limitsOf } from './call.ts';
import { afterStart, nextAllowed, takeBack } from './rate.ts';
import type { JobRow, TenantRow } from './rows.ts';
import { stepOf } from './tables.ts';

/** Why a tenant may not claim now. `until`: when that ends by itself. */
export interface Hold {
  readonly reason: 'tenant-paused' | 'tenant-concurrency' | 'tenant-rate' | 'tenant-budget';
  readonly until?: number;
}

/** @returns what keeps the tenant from claiming a job of `cost` units; undefined when nothing does */
export function holdOf(call: Call, tenant: TenantRow, cost: number): Hold | undefined {
  if (tenant.paused) return { reason: 'tenant-paused' };
  const limits = limitsOf(call, tenant);
  if (limits.maxLeased !== undefined && tenant.leased >= limits.maxLeased) return { reason: 'tenant-concurrency' };
  if (limits.rate !== undefined) {
    const until = nextAllowed(tenant.tat, limits.rate);
    if (until > call.now) return { reason: 'tenant-rate', until };
  }
  const { budget } = limits;
  if (budget === undefined) return undefined;
  const spent = spentIn(call, tenant, budget.per);
  // A job dearer than the whole budget may run when the window is untouched: else it would wait for ever.
  if (spent === 0 || spent + cost <= budget.units) return undefined;
  return { reason: 'tenant-budget', until: (Math.floor(call.now / budget.per) + 1) * budget.per };
}

/** Cost units used in the present window. */
export function spentIn(call: Call, tenant: TenantRow, per: number): number {
  return tenant.window === Math.floor(call.now / per) ? tenant.spent : 0;
}

/** Puts the tenant where it belongs: in the ring, parked until a time, or outside until something changes. Saves it. */
export function place(call: Call, tenant: TenantRow): void {
  const { tables, now } = call;
  const head = tenant.ready > 0 ? tables.head(tenant) : undefined;
  const hold = head === undefined ? undefined : holdOf(call, tenant, head.cost);
  tenant.parkedUntil = hold?.until;
  if (head === undefined || hold !== undefined) {
    tenant.ringed = false;
  } else {
    if (!tenant.ringed) {
      tenant.since = now;
      tenant.vtime = Math.max(tenant.vtime, tables.queue.vclock);
    }
    tenant.ringed = true;
    tenant.headClass = head.priority;
  }
  tables.saveTenant(tenant);
}

/** Places every tenant that this call has touched. */
export function placeTouched(call: Call): void {
  for (const tenant of call.touched) place(call, tenant);
  call.touched.clear();
}

/** The tenant whose turn it is: the first of the highest class, unless one of a lower class has waited long enough for a turn. */
export function nextTenant(call: Call): TenantRow | undefined {
  const top = call.tables.ringTop();
  const { aging } = call.tables.queue.settings;
  if (top === undefined || aging === 0) return top;
  const urgent = call.tables.ringUrgent();
  if (urgent === undefined || urgent.headClass >= top.headClass) return top;
  const patience = (top.headClass - urgent.headClass) * stepOf(aging);
  return urgent.since + patience <= call.now ? urgent : top;
}

/** Charges a start of the job to its tenant: share, rate, budget, concurrency. */
export function charge(call: Call, tenant: TenantRow, job: JobRow): void {
  const { tables, now } = call;
  const limits = limitsOf(call, tenant);
  tables.queue.vclock = Math.max(tables.queue.vclock, tenant.vtime);
  tenant.vtime = tables.queue.vclock + shareOf(job, limits.weight);
  tenant.since = now;
  tenant.leased += 1;
  if (limits.rate !== undefined) tenant.tat = afterStart(tenant.tat, now, limits.rate);
  if (limits.budget !== undefined) spend(call, tenant, job.cost);
}

function shareOf(job: JobRow, weight = 1): number {
  return Math.max(job.cost, 1) / weight;
}

/** Adds (or takes back) cost units in the present budget window. */
export function spend(call: Call, tenant: TenantRow, units: number): void {
  const { budget } = limitsOf(call, tenant);
  if (budget === undefined || units === 0) return;
  const spent = spentIn(call, tenant, budget.per);
  tenant.window = Math.floor(call.now / budget.per);
  tenant.spent = Math.max(0, spent + units);
}

/** Takes a start back that did not happen: share, rate. (Cost is settled with the attempt, concurrency with the lease.) */
export function uncharge(call: Call, tenant: TenantRow, job: JobRow): void {
  const limits = limitsOf(call, tenant);
  tenant.vtime -= shareOf(job, limits.weight);
  if (limits.rate !== undefined) tenant.tat = takeBack(tenant.tat, limits.rate);
}
