import type { ExchangeRequest, FencedOutcome, Settlement } from '../../contract/index.ts';
import { type Call, tenantOf, touch } from './call.ts';
import { addFailure, finish } from './finish.ts';
import { extraOf, type JobRow } from './job-row.ts';
import { spend, uncharge } from './ring.ts';
import { makeWaiting, startWaiting } from './waiting.ts';

/** Applies settlements; each takes effect only under the fence of the present lease, held by this session. */
export function settleAll(call: Call, request: ExchangeRequest): FencedOutcome[] {
  call.tables.expectAcks(request.session, () => acksOf(request));
  return request.settle.map((settlement) => {
    const row = call.tables.leased(request.session, settlement.jobId, settlement.fence);
    if (row === undefined) return 'stale';
    settle(call, row, settlement);
    return 'applied';
  });
}

/** Acknowledgements of jobs that this call names once. */
function acksOf({ settle, extend, progress }: ExchangeRequest): Settlement[] {
  const acks = settle.filter(({ kind }) => kind === 'ack');
  const ids = new Set(acks.map(({ jobId }) => jobId));
  if (ids.size === settle.length && extend.length + progress.length === 0) return acks;
  const times = new Map<string, number>();
  for (const { jobId } of [...settle, ...extend, ...progress]) times.set(jobId, (times.get(jobId) ?? 0) + 1);
  return acks.filter(({ jobId }) => times.get(jobId) === 1);
}

function settle(call: Call, row: JobRow, settlement: Settlement): void {
  const notRun = settlement.kind === 'release' || settlement.kind === 'snooze';
  endLease(call, row, settlement.cost ?? (notRun ? 0 : row.cost));
  switch (settlement.kind) {
    case 'ack':
      finish(call, row, 'succeeded', 'leased', settlement.result);
      break;
    case 'cancelled':
      finish(call, row, 'cancelled', 'leased');
      break;
    case 'dead':
      addFailure(row, settlement.failure);
      finish(call, row, 'dead', 'leased');
      break;
    case 'retry':
      addFailure(row, settlement.failure);
      comeBack(call, row, call.now + settlement.delay);
      break;
    case 'snooze':
      row.attempt -= 1;
      comeBack(call, row, call.now + settlement.delay);
      break;
    case 'release':
      giveBack(call, row);
  }
}

/** Takes the job from its session: concurrency is free again, the cost is what it was. */
export function endLease(call: Call, row: JobRow, cost: number): void {
  const tenant = tenantOf(call, row);
  tenant.leased -= 1;
  call.tables.queue.leased -= 1;
  spend(call, tenant, cost - row.cost);
  touch(call, tenant);
  if (tenant.held) call.freed.add(tenant);
}

/** Ready in its old place, as if it had not been claimed. The lease is ended already. */
export function giveBack(call: Call, row: JobRow): void {
  uncharge(call, tenantOf(call, row), row);
  row.attempt -= 1;
  if (!leave(call, row)) return;
  row.state = 'ready';
  startWaiting(call, row);
  call.tables.saveJob(row, 'leased');
}

/** Waiting again until `readyAt`; unless somebody asked to cancel it meanwhile. */
export function comeBack(call: Call, row: JobRow, readyAt: number): void {
  if (!leave(call, row)) return;
  makeWaiting(call, row, readyAt);
  call.tables.saveJob(row, 'leased');
}

/** @returns false when the job ends here, because somebody asked to cancel it */
function leave(call: Call, row: JobRow): boolean {
  if (row.extra.cancelRequested) {
    finish(call, row, 'cancelled', 'leased');
    return false;
  }
  row.lease = undefined;
  if (row.extra.visibleUntil !== undefined) extraOf(row).visibleUntil = undefined;
  return true;
}
