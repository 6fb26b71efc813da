import { type Call, tenantOf, touch } from './call.ts';
import type { JobRow } from './job-row.ts';
import { enter } from './ring.ts';
import type { TenantRow } from './rows.ts';

/** The job is counted among the waiting, in the state that it has; a ready one makes its line known. */
export function startWaiting(call: Call, row: JobRow): void {
  const { queue } = call.tables;
  const tenant = tenantOf(call, row);
  if (row.state === 'ready') {
    // Who was idle starts at the present virtual time.
    if (tenant.ready === 0) tenant.vtime = Math.max(tenant.vtime, queue.vclock);
    const line = call.tables.line(tenant, row.priority);
    // A job that was given back has turned the tenant's virtual time back too.
    if (line.state === 'new' || (line.state === 'ringed' && line.score > tenant.vtime)) enter(call, line);
  }
  countWaiting(call, tenant, row, 1);
}

/** The inverse of {@link startWaiting}: call it while the job still has its state and priority. */
export function stopWaiting(call: Call, row: JobRow): void {
  const tenant = tenantOf(call, row);
  if (row.state === 'ready') call.shrunk.add(call.tables.line(tenant, row.priority));
  countWaiting(call, tenant, row, -1);
}

/** Counters only. */
export function countWaiting(call: Call, tenant: TenantRow, row: JobRow, step: 1 | -1): void {
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
  touch(call, tenant);
}

/** Puts a job that waits nowhere yet (new, or just taken from its worker) among the waiting. `readyAt` undefined: until released by another job. */
export function makeWaiting(call: Call, row: JobRow, readyAt: number | undefined): void {
  const { queue } = call.tables;
  const ready = readyAt !== undefined && readyAt <= call.now;
  row.state = ready ? 'ready' : 'delayed';
  row.readyAt = ready ? Math.max(readyAt, queue.lastReadyAt) : readyAt;
  if (ready) queue.lastReadyAt = row.readyAt ?? 0;
  startWaiting(call, row);
}

/** Moves a delayed job to ready, or to another time. */
export function reschedule(call: Call, row: JobRow, readyAt: number): void {
  const before = row.state;
  stopWaiting(call, row);
  makeWaiting(call, row, readyAt);
  call.tables.saveJob(row, before);
}
