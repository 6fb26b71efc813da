import { type Call, limitsOf, touch } from './call.ts';
import type { JobRow } from './job-row.ts';
import { afterStart, nextAllowed, takeBack } from './rate.ts';
import type { LineRow, TenantRow } from './rows.ts';

/** Why a tenant may not claim now. `until`: when that ends by itself. */
export interface Hold {
  readonly reason: 'tenant-paused' | 'tenant-concurrency' | 'tenant-rate' | 'tenant-budget';
  readonly until?: number;
}

/** @returns what keeps the tenant from claiming this job (without a job: any job); undefined when nothing does */
export function holdOf(call: Call, tenant: TenantRow, job?: JobRow): Hold | undefined {
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
  if (spent === 0 || spent + (job?.cost ?? 0) <= budget.units) return undefined;
  return { reason: 'tenant-budget', until: (Math.floor(call.now / budget.per) + 1) * budget.per };
}

/** Cost units used in the present window. */
export function spentIn(call: Call, tenant: TenantRow, per: number): number {
  return tenant.window === Math.floor(call.now / per) ? tenant.spent : 0;
}

/** A line that has got its first job, or is no longer held, takes its place in the ring of its class. */
export function enter(call: Call, line: LineRow): void {
  line.state = 'ringed';
  line.score = line.tenant.vtime;
  call.tables.saveLine(line);
  call.tables.openClass(line.priority, call.now);
}

/** Takes a line out of its ring until its tenant is let in again: nobody looks at it in between. */
export function holdBack(call: Call, line: LineRow, hold: Hold): void {
  const { tenant } = line;
  line.state = 'held';
  call.tables.saveLine(line);
  tenant.held = true;
  tenant.parkedUntil = hold.until;
  touch(call, tenant);
}

/** Puts the held lines of a tenant back into their rings, if nothing holds the tenant as such any more. */
export function letIn(call: Call, tenant: TenantRow): void {
  if (!tenant.held) return;
  const hold = holdOf(call, tenant);
  tenant.parkedUntil = hold?.until;
  if (hold === undefined) {
    tenant.held = false;
    tenant.vtime = Math.max(tenant.vtime, call.tables.queue.vclock);
    for (const line of call.tables.heldLines(tenant)) enter(call, line);
  }
  touch(call, tenant);
}

/** Brings rings and tenants up to date with what the call has done: before it claims, and before it ends. */
export function settleTouched(call: Call): void {
  const { tables, freed, shrunk, touched } = call;
  if (shrunk.size > 0) {
    for (const line of shrunk) if (line.state !== 'new' && tables.isEmpty(line)) tables.removeLine(line);
    shrunk.clear();
  }
  if (freed.size > 0) {
    for (const tenant of freed) letIn(call, tenant);
    freed.clear();
  }
  for (const tenant of touched) {
    tenant.touched = false;
    tables.saveTenant(tenant);
  }
  touched.length = 0;
}

/** Charges a start of the job to its tenant: share, rate, budget, concurrency. */
export function charge(call: Call, tenant: TenantRow, job: JobRow): void {
  const { tables, now } = call;
  const limits = limitsOf(call, tenant);
  tables.queue.vclock = Math.max(tables.queue.vclock, tenant.vtime);
  tenant.vtime = tables.queue.vclock + shareOf(job, limits.weight);
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
