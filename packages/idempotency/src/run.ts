import { type Admission, admit, admitWithin, finished, fromCache } from './admission.ts';
import type { Call, Core } from './core.ts';
import { LeaseLostError, OutcomeUnknownError } from './errors.ts';
import { type Execution, runPhase, startExecution } from './execution.ts';
import { deriveKey } from './key.ts';
import type { ExecutionContext, ReconcileDecision, RunResult } from './options.ts';
import type { IdempotencyRecord } from './record.ts';
import type { IdempotencyStore } from './store.ts';

/** The function that a call executes. */
export type Work<Tx, T> = (context: ExecutionContext<Tx>) => T | Promise<T>;

/** Executes once per key, or returns what an earlier execution returned. */
export async function runCall<Tx, T>(core: Core<Tx>, call: Call, work: Work<Tx, T>): Promise<RunResult<T>> {
  const cached = core.cache && fromCache(core, call);
  const admission = cached === undefined ? await admit(core, call) : await finished(core, call, cached);
  if (admission.status === 'replay') return replay(core, call, admission);
  if (admission.status === 'bypass') return bypass(call, work);
  const execution = startExecution(core, call, admission);
  try {
    const value = await decideAndExecute(execution, call, core, work);
    await execution.complete(value);
    return { value, replayed: false, bypassed: false };
  } catch (error) {
    const lost = execution.lost();
    await execution.release('retryable');
    throw lost && error !== lost && !(error instanceof LeaseLostError) ? withCause(lost, error) : error;
  }
}

/** The same with key, the caller's rows and the result in one commit, which is the caller's. */
export async function runWithin<Tx, T>(
  core: Core<Tx>,
  call: Call,
  client: Tx,
  store: IdempotencyStore<Tx>,
  work: (tx: Tx, context: ExecutionContext<Tx>) => T | Promise<T>,
): Promise<RunResult<T>> {
  const admission = await admitWithin(core, call, store);
  if (admission.status === 'replay') return replay(core, call, admission);
  if (admission.status === 'bypass') throw admission.error;
  const { record, takenOver } = admission;
  try {
    const signal = call.signal ?? neverAborted;
    const decision = takenOver ? await reconcile(call, record, signal) : 'run';
    if (decision === 'park') throw new OutcomeUnknownError(record);
    const context: ExecutionContext<Tx> = {
      signal,
      fence: record.fence,
      attempt: record.attempt,
      takenOver,
      derive: (name) => deriveKey(call.key, name),
      phase: (name, phase) => runPhase({ ...core, store: inTransaction(store, client) }, call, record, name, phase),
    };
    const value = decision === 'run' ? await work(client, context) : (decision.value as T);
    const result = await core.codec.encode(call.key, value);
    if (!(await store.complete(call.key, record.fence, result, call.policy.ttl))) {
      throw new LeaseLostError(call.key, record.fence);
    }
    return { value, replayed: false, bypassed: false };
  } catch (error) {
    // The caller rolls back; should it commit nevertheless, the key must be free again. In an aborted transaction this fails: so be it.
    await store.release(call.key, record.fence, 'retryable', call.policy.ttl).catch(() => false);
    throw error;
  }
}

const neverAborted: AbortSignal = new AbortController().signal;

/** A store whose transaction is the one that is open already. */
function inTransaction<Tx>(store: IdempotencyStore<Tx>, client: Tx): IdempotencyStore<Tx> {
  return Object.assign(Object.create(store) as IdempotencyStore<Tx>, {
    transaction: <T>(work: (tx: Tx) => Promise<T>) => work(client),
    within: () => store,
  });
}

async function replay<Tx, T>(
  core: Core<Tx>,
  call: Call,
  { result }: Extract<Admission, { status: 'replay' }>,
): Promise<RunResult<T>> {
  const value = (await core.codec.decode(call.key, result)) as T;
  return { value, replayed: true, bypassed: false };
}

async function bypass<Tx, T>(call: Call, work: Work<Tx, T>): Promise<RunResult<T>> {
  const value = await work({
    signal: call.signal ?? neverAborted,
    fence: 0,
    attempt: 1,
    takenOver: false,
    derive: (name) => deriveKey(call.key, name),
    // The store is down: a phase is just its work, without a transaction or a recovery point.
    phase: async (_name, phase) => phase(undefined as Tx),
  });
  return { value, replayed: false, bypassed: true };
}

async function decideAndExecute<Tx, T>(
  execution: Execution<Tx>,
  call: Call,
  core: Core<Tx>,
  work: Work<Tx, T>,
): Promise<T> {
  const { info, context, record, takenOver } = execution;
  if (takenOver) {
    core.instrumentation.onTakeover?.(info);
    const decision = await reconcile(call, record, context.signal);
    if (decision === 'park') {
      await execution.release('parked');
      throw new OutcomeUnknownError(record);
    }
    if (decision !== 'run') return decision.value as T;
  }
  const around = core.instrumentation.aroundExecution;
  if (!around) return work(context);
  return around.call(core.instrumentation, info, async () => work(context)) as Promise<T>;
}

/** What follows a dead execution; without a function that decides, it is executed again. */
async function reconcile(call: Call, record: IdempotencyRecord, signal: AbortSignal): Promise<ReconcileDecision> {
  const { onExpiredLease } = call.policy;
  return typeof onExpiredLease === 'function' ? onExpiredLease(record, { signal }) : 'run';
}

function withCause(lost: LeaseLostError, cause: unknown): LeaseLostError {
  lost.cause ??= cause;
  return lost;
}
