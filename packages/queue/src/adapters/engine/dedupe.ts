import type { DedupeSpec, EnqueueAnswer, NewJob } from '../../contract/index.ts';
import type { Call } from './call.ts';
import type { JobRow } from './job-row.ts';
import type { DedupeRow } from './rows.ts';
import { countWaiting, reschedule } from './waiting.ts';

/** @returns the answer to a job whose key is held; undefined when the job is to be stored all the same */
export function answerDuplicate(call: Call, held: DedupeRow, job: NewJob): EnqueueAnswer | undefined {
  const mode = job.dedupe?.mode;
  if (mode === 'keep-last') return keepLast(call, held, job);
  if (mode === 'debounce') return debounce(call, held, job);
  return { status: 'duplicate', id: held.jobId, replaced: false };
}

/** The newest payload wins: in the job that waits, or in the follow-up of the one that runs. */
function keepLast(call: Call, held: DedupeRow, job: NewJob): EnqueueAnswer | undefined {
  const { tables } = call;
  const target = tables.job(held.nextId ?? held.jobId);
  if (target === undefined || (target.state === 'leased' && held.nextId === undefined)) return undefined;
  replacePayload(call, target, job);
  return { status: 'duplicate', id: target.id, replaced: true };
}

function debounce(call: Call, held: DedupeRow, job: NewJob): EnqueueAnswer | undefined {
  const target = call.tables.job(held.jobId);
  if (target === undefined || (target.state !== 'delayed' && target.state !== 'ready')) return undefined;
  replacePayload(call, target, job);
  const wanted = call.now + (job.dedupe?.ttl ?? 0);
  if (target.state === 'delayed') reschedule(call, target, Math.min(wanted, held.latest ?? wanted));
  return { status: 'duplicate', id: target.id, replaced: true };
}

function replacePayload(call: Call, target: JobRow, job: NewJob): void {
  const tenant = call.tables.tenant(target.tenant);
  countWaiting(call, tenant, target, -1);
  target.payload = job.payload;
  target.bytes = job.bytes;
  countWaiting(call, tenant, target, 1);
  call.tables.saveContent(target);
}

/** Notes that the job, just stored, holds its key (or is the follow-up of the job that does). */
export function holdKey(call: Call, held: DedupeRow | undefined, job: NewJob, spec: DedupeSpec): void {
  const { tables, now } = call;
  if (spec.mode === 'keep-last' && held !== undefined && held.until === undefined) {
    tables.saveDedupe({ ...held, nextId: job.id });
    return;
  }
  tables.saveDedupe({
    key: spec.key,
    jobId: job.id,
    until: spec.mode === 'window' ? now + (spec.ttl ?? 0) : undefined,
    latest: spec.maxWait === undefined ? undefined : now + spec.maxWait,
    nextId: undefined,
  });
}
