import type { ControlAnswer, ControlInput } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { finishWaiting, forget, revive } from './finish.ts';
import type { JobRow } from './rows.ts';
import { makeWaiting, reschedule, stopWaiting } from './waiting.ts';

/** Most ids that one operation takes. */
export const pageLimit = 500;

function known(call: Call, ids: readonly string[]): JobRow[] {
  return ids.slice(0, pageLimit).flatMap((id) => call.tables.job(id) ?? []);
}

const waits = (row: JobRow): boolean => row.state === 'ready' || row.state === 'delayed';

/** Cancels what waits, asks what runs to stop. */
export function cancel(call: Call, { ids }: ControlInput<'cancel'>): ControlAnswer<'cancel'> {
  return ids.slice(0, pageLimit).map((id) => {
    const row = call.tables.job(id);
    if (row === undefined) return 'unknown';
    if (waits(row)) {
      finishWaiting(call, row, 'cancelled');
      return 'cancelled';
    }
    if (row.state !== 'leased') return 'finished';
    row.cancelRequested = true;
    call.tables.saveJob(row, 'leased');
    return 'requested';
  });
}

/** Changes the priority of waiting jobs; each joins the end of its new class. */
export function setPriority(call: Call, { ids, priority }: ControlInput<'setPriority'>): number {
  const rows = known(call, ids).filter(waits);
  for (const row of rows) {
    const before = row.state;
    stopWaiting(call, row);
    call.tables.changePriority(row, priority);
    makeWaiting(call, row, before === 'ready' ? call.now : row.readyAt);
    call.tables.saveJob(row, before);
  }
  return rows.length;
}

/** Makes delayed jobs ready now. */
export function promoteNow(call: Call, { ids }: ControlInput<'promote'>): number {
  const rows = known(call, ids).filter((row) => row.state === 'delayed' && row.readyAt !== undefined);
  for (const row of rows) reschedule(call, row, call.now);
  return rows.length;
}

/** Dead and cancelled jobs wait again. */
export function redrive(call: Call, { ids, spacing, offset }: ControlInput<'redrive'>): number {
  const rows = known(call, ids).filter((row) => row.state === 'dead' || row.state === 'cancelled');
  for (const [index, row] of rows.entries()) revive(call, row, offset + index * spacing);
  return rows.length;
}

/** Removes finished jobs. */
export function purge(call: Call, { ids }: ControlInput<'purge'>): number {
  const rows = known(call, ids).filter((row) => !waits(row) && row.state !== 'leased');
  for (const row of rows) forget(call, row);
  return rows.length;
}
