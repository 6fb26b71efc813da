import type { JobFailure } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { extraOf, isOrdinary, type JobRow } from './job-row.ts';
import type { FinishedState } from './tables.ts';
import { makeWaiting, reschedule, stopWaiting } from './waiting.ts';

/** Ends a job that is no longer counted as waiting or leased: frees its dedupe key, tells its parent, keeps or forgets it. */
export function finish(call: Call, row: JobRow, state: FinishedState, before: JobRow['state'], result?: string): void {
  const { tables, now } = call;
  row.state = state;
  // A tenant may be forgotten before its last finished job.
  row.home = undefined;
  row.lease = undefined;
  if (isOrdinary(row) && !isKept(call, row, state)) {
    tables.removeJob(row);
    return;
  }
  const extra = extraOf(row);
  extra.visibleUntil = undefined;
  extra.cancelRequested = false;
  extra.finishedAt = now;
  extra.result = result;
  if (extra.dedupe !== undefined) freeKey(call, row, extra.dedupe.key);
  if (extra.parentId !== undefined) tellParent(call, row, extra.parentId);
  keepOrForget(call, row, state, before);
}

/** The place of a finished job that was waiting. */
export function finishWaiting(call: Call, row: JobRow, state: FinishedState): void {
  const before = row.state;
  stopWaiting(call, row);
  finish(call, row, state, before);
}

/** Bytes that count against retention. */
export function keptBytes(row: JobRow): number {
  const { failures, result } = row.extra;
  const messages = failures.reduce((sum, failure) => sum + failure.message.length, 0);
  return row.bytes + (result?.length ?? 0) + messages;
}

function keepOrForget(call: Call, row: JobRow, state: FinishedState, before: JobRow['state']): void {
  const { tables, now } = call;
  if (!isKept(call, row, state)) {
    remove(call, row);
  } else if (state === 'succeeded' && row.extra.keepResult > 0) {
    extraOf(row).keepUntil = now + row.extra.keepResult;
    tables.queue.succeeded.count += 1;
    tables.saveJob(row, before);
  } else {
    tables.queue[state].count += 1;
    tables.queue[state].bytes += keptBytes(row);
    tables.saveJob(row, before);
  }
}

function isKept({ tables }: Call, row: JobRow, state: FinishedState): boolean {
  return (state === 'succeeded' && row.extra.keepResult > 0) || tables.queue.settings.retention[state].count > 0;
}

function freeKey(call: Call, row: JobRow, key: string): void {
  const { tables } = call;
  const held = tables.dedupe(key);
  if (held === undefined || held.until !== undefined) return;
  if (held.nextId === row.id) {
    held.nextId = undefined;
    tables.saveDedupe(held);
  } else if (held.jobId === row.id) {
    passKeyOn(call, held.key, held.nextId);
  }
}

/** The follow-up of a `keep-last` key takes the key over and may start. */
function passKeyOn(call: Call, key: string, nextId: string | undefined): void {
  const { tables } = call;
  const next = nextId === undefined ? undefined : tables.job(nextId);
  if (next === undefined) {
    tables.removeDedupe(key);
    return;
  }
  tables.saveDedupe({ key, jobId: next.id, until: undefined, latest: undefined, nextId: undefined });
  if (next.state === 'delayed') reschedule(call, next, call.now);
}

function tellParent(call: Call, child: JobRow, parentId: string): void {
  const { tables } = call;
  const parent = tables.job(parentId);
  if (parent === undefined || parent.state !== 'delayed' || parent.extra.pendingChildren === 0) return;
  tables.addChild({
    parentId,
    id: child.id,
    name: child.name,
    state: child.state,
    result: child.extra.result,
    failure: child.extra.failures.at(-1),
  });
  const waits = extraOf(parent);
  waits.pendingChildren -= 1;
  if (child.state !== 'succeeded' && child.extra.onFailure === 'fail-parent') failParent(call, parent, child);
  else if (waits.pendingChildren === 0) reschedule(call, parent, call.now);
  else tables.saveJob(parent, 'delayed');
}

function failParent(call: Call, parent: JobRow, child: JobRow): void {
  const failure: JobFailure = {
    attempt: parent.attempt,
    at: call.now,
    message: `The child job ${child.id} (${child.name}) ended ${child.state}.`,
    code: 'ERR_CHILD_FAILED',
    fingerprint: `ERR_CHILD_FAILED ${child.name} ${child.state}`,
  };
  addFailure(parent, failure);
  finishWaiting(call, parent, 'dead');
}

/** Keeps the last 10 failures. */
export function addFailure(row: JobRow, failure: JobFailure): void {
  extraOf(row).failures = [...row.extra.failures.slice(-9), failure];
}

/** A dead or cancelled job waits again, as if new. */
export function revive(call: Call, row: JobRow, delay: number): void {
  const before = row.state;
  const kept = call.tables.queue[before as 'dead' | 'cancelled'];
  kept.count -= 1;
  kept.bytes -= keptBytes(row);
  row.attempt = 0;
  const extra = extraOf(row);
  extra.finishedAt = undefined;
  extra.pendingChildren = 0;
  extra.dedupe = undefined;
  makeWaiting(call, row, call.now + delay);
  call.tables.saveJob(row, before);
}

/** Removes a finished job from the store. */
export function forget(call: Call, row: JobRow): void {
  const kept = call.tables.queue[row.state as FinishedState];
  kept.count -= 1;
  if (row.extra.keepUntil === undefined) kept.bytes -= keptBytes(row);
  remove(call, row);
}

/** What a parent keeps of its children goes with it, not before: it may be redriven. */
function remove({ tables }: Call, row: JobRow): void {
  if (row.extra.children > 0) tables.removeChildren(row.id);
  tables.removeJob(row);
}
