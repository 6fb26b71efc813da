import { sleep } from './clock.ts';
import type { Call, Core } from './core.ts';
import {
  IdempotencyDuplicateError,
  IdempotencyInProgressError,
  IdempotencyMismatchError,
  OutcomeUnknownError,
  StoreUnavailableError,
} from './errors.ts';
import { recordId } from './key.ts';
import type { IdempotencyRecord } from './record.ts';
import type { BeginRequest, BeginResult, IdempotencyStore } from './store.ts';

/** What a call may do. */
export type Admission =
  | {
      readonly status: 'execute';
      readonly record: IdempotencyRecord;
      readonly takenOver: boolean;
      /** Monotonic time at which the lease was asked for. */
      readonly since: number;
    }
  | { readonly status: 'replay'; readonly result: string }
  | { readonly status: 'bypass'; readonly error: StoreUnavailableError };

/** Pause between two questions of a waiting duplicate (ms): doubles from the first to the longest. */
const firstPoll = 20;
const longestPoll = 1000;

/** Pause before a failed `begin` is tried once more (ms). */
const beginRetryPause = 25;

/**
 * Asks the store for the right to execute.
 *
 * @throws IdempotencyMismatchError, IdempotencyInProgressError, IdempotencyDuplicateError, OutcomeUnknownError, StoreUnavailableError
 */
export async function admit<Tx>(core: Core<Tx>, call: Call): Promise<Admission> {
  const deadline = core.clock.monotonic() + call.policy.maxWait;
  for (let pause = firstPoll; ; pause = Math.min(pause * 2, longestPoll)) {
    const since = core.clock.monotonic();
    try {
      const answer = await beginRecognized(core, call);
      const admission = await judge(core, call, answer, since);
      if (admission) return admission;
      const left = deadline - core.clock.monotonic();
      if (call.policy.duplicates !== 'wait' || left <= 0) throw inProgress(core, call, answer);
      await nextLook(core, call, Math.min(pause, left));
    } catch (error) {
      if (error instanceof StoreUnavailableError && call.policy.onStoreError === 'open') {
        return { status: 'bypass', error };
      }
      throw error;
    }
  }
}

/** The same inside the caller's transaction: one question, no waiting but on the database's own row lock. */
export async function admitWithin<Tx>(core: Core<Tx>, call: Call, store: IdempotencyStore<Tx>): Promise<Admission> {
  const since = core.clock.monotonic();
  const answer = await store.begin(call.key, beginRequest(call, core.nextOwner()));
  const admission = await judge(core, call, answer, since);
  if (admission) return admission;
  throw inProgress(core, call, answer);
}

function beginRequest({ fingerprint, policy }: Call, owner: string): BeginRequest {
  // A function decides under a lease of its own, so that two callers never reconcile at once: in the store that is a takeover.
  const onExpiredLease = policy.onExpiredLease === 'park' ? 'park' : 'takeover';
  return { fingerprint, owner, onExpiredLease, lease: policy.lease, ttl: policy.ttl };
}

/** `begin`, tried twice; a first try that reached the store although its answer was lost is recognized by its owner. */
async function beginRecognized<Tx>(core: Core<Tx>, call: Call): Promise<BeginResult> {
  const request = beginRequest(call, core.nextOwner());
  const begin = (): Promise<BeginResult> => core.guard('begin', () => core.store.begin(call.key, request));
  try {
    return await begin();
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    await sleep(core.clock, beginRetryPause, call.signal);
    const answer = await begin();
    const own = answer.record.state === 'running' && answer.record.owner === request.owner;
    return own ? { ...answer, status: 'acquired', takenOver: false } : answer;
  }
}

/** Decides, or returns undefined when the first execution still runs. */
async function judge<Tx>(
  core: Core<Tx>,
  call: Call,
  answer: BeginResult,
  since: number,
): Promise<Admission | undefined> {
  const { record, status, now } = answer;
  if (status === 'mismatch') throw new IdempotencyMismatchError(call.key);
  if (status === 'acquired') return { status: 'execute', record, takenOver: answer.takenOver, since };
  if (record.state === 'parked') throw new OutcomeUnknownError(record);
  if (record.state !== 'done' || record.result === undefined) return undefined;
  core.cache?.set(record, now);
  return finished(core, call, record.result);
}

export async function finished<Tx>(core: Core<Tx>, call: Call, result: string): Promise<Admission> {
  if (call.policy.duplicates !== 'reject') return { status: 'replay', result };
  throw new IdempotencyDuplicateError(call.key, await core.codec.decode(call.key, result));
}

/** The result of a finished record that this process remembers. */
export function fromCache<Tx>(core: Core<Tx>, call: Call): string | undefined {
  const hit = core.cache?.get(call.key);
  core.instrumentation.onCache?.({ operation: call.key.operation, outcome: hit ? 'hit' : 'miss' });
  if (hit && hit.fingerprint !== call.fingerprint) throw new IdempotencyMismatchError(call.key);
  return hit?.result;
}

function inProgress<Tx>(core: Core<Tx>, call: Call, { record, now }: BeginResult): IdempotencyInProgressError {
  const { operation } = call.key;
  const usual = core.durations.remaining(operation, Math.max(0, now - record.updatedAt));
  const location = call.policy.duplicates === 'attach' ? call.policy.attach?.(record) : undefined;
  return new IdempotencyInProgressError(call.key, usual, location);
}

/** Until the execution ends, if it is in this process, or the time is up. */
async function nextLook<Tx>(core: Core<Tx>, call: Call, pause: number): Promise<void> {
  const here = core.running.get(recordId(call.key));
  const jittered = pause * (0.75 + core.random() / 4);
  if (!here) return sleep(core.clock, jittered, call.signal);
  const cancel = new AbortController();
  const signal = call.signal ? AbortSignal.any([call.signal, cancel.signal]) : cancel.signal;
  const asleep = sleep(core.clock, jittered, signal).catch((error: unknown) => {
    if (!cancel.signal.aborted) throw error;
  });
  await Promise.race([here, asleep]);
  cancel.abort();
}
