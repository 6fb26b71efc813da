import type { ControlAnswer, ControlInput } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { finishWaiting, forget, revive } from './finish.ts';
import { extraOf, type JobRow } from './job-row.ts';
import { makeWaiting, reschedule, stopWaiting } from './waiting.ts';

/** Most ids that one operation takes. */
export const pageLimit = 500;

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
    extraOf(row).cancelRequested = true;
    call.tables.saveJob(row, 'leased');
    return 'requested';
  });
}

/** Does `change` to each job that is as `wanted` when its turn comes: an id may be named twice. Answers to how many. */
function changeEach(
  call: Call,
  ids: readonly string[],
  wanted: (row: JobRow) => boolean,
  change: (row: JobRow, index: number) => void,
): number {
  let changed = 0;
  for (const id of ids.slice(0, pageLimit)) {
    const row = call.tables.job(id);
    if (row === undefined || !wanted(row)) continue;
    change(row, changed);
    changed += 1;
  }
  return changed;
}

/** Changes the priority of waiting jobs; each joins the end of its new class. */
export function setPriority(call: Call, { ids, priority }: ControlInput<'setPriority'>): number {
  return changeEach(call, ids, waits, (row) => {
    const before = row.state;
    stopWaiting(call, row);
    call.tables.changePriority(row, priority);
    makeWaiting(call, row, before === 'ready' ? call.now : row.readyAt);
    call.tables.saveJob(row, before);
  });
}

/** Makes delayed jobs ready now. */
export function promoteNow(call: Call, { ids }: ControlInput<'promote'>): number {
  const hasTime = (row: JobRow): boolean => row.state === 'delayed' && row.readyAt !== undefined;
  return changeEach(call, ids, hasTime, (row) => reschedule(call, row, call.now));
}

/** Dead and cancelled jobs wait again. */
export function redrive(call: Call, { ids, spacing, offset }: ControlInput<'redrive'>): number {
  const isOver = (row: JobRow): boolean => row.state === 'dead' || row.state === 'cancelled';
  return changeEach(call, ids, isOver, (row, index) => revive(call, row, offset + index * spacing));
}

/** Removes finished jobs. */
export function purge(call: Call, { ids }: ControlInput<'purge'>): number {
  const isFinished = (row: JobRow): boolean => !waits(row) && row.state !== 'leased';
  return changeEach(call, ids, isFinished, (row) => forget(call, row));
}
