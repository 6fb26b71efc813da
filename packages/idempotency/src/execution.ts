import { sleep } from './clock.ts';
import type { Call, Core } from './core.ts';
import { InvalidKeyError, LeaseLostError, StoreUnavailableError } from './errors.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { ExecutionInfo } from './instrumentation.ts';
import { deriveKey, recordId } from './key.ts';
import type { ExecutionContext } from './options.ts';
import type { IdempotencyRecord } from './record.ts';

/** Pauses between tries to store a result while the store is unreachable (ms): doubles from the first to the longest. */
const firstPause = 50;
const longestPause = 1000;

/** One execution that holds the lease of its record. */
export interface Execution<Tx> {
  readonly info: ExecutionInfo;
  readonly record: IdempotencyRecord;
  readonly takenOver: boolean;
  readonly context: ExecutionContext<Tx>;
  /** Why the lease is lost; undefined while it is held. */
  lost(): LeaseLostError | undefined;
  /**
   * Keeps the value as the result and ends the execution.
   *
   * @throws LeaseLostError when someone else runs the operation, StoreUnavailableError when the store did not come back within the lease
   */
  complete(value: unknown): Promise<void>;
  /** Ends the execution without a result; never throws, the lease runs out if the store cannot be told. */
  release(state: 'retryable' | 'parked'): Promise<void>;
}

/** How an admitted call came to its lease. */
export interface Admitted {
  readonly record: IdempotencyRecord;
  readonly takenOver: boolean;
  readonly since: number;
}

/** Begins an execution: heartbeat, abort signal, and a promise in `core.running` that settles at its end. */
export function startExecution<Tx>(core: Core<Tx>, call: Call, admitted: Admitted): Execution<Tx> {
  const { record, takenOver } = admitted;
  const { fence, attempt } = record;
  const info: ExecutionInfo = {
    store: core.store.name,
    ...pick(call),
    fence,
    attempt,
  };
  const lease = holdLease(core, call, admitted, info);
  const startedAt = core.clock.monotonic();
  const leave = announce(core, call);
  let ended = false;
  const end = (): void => {
    ended = true;
    lease.stop();
    leave();
  };

  return {
    info,
    record,
    takenOver,
    lost: lease.lost,
    context: {
      get signal() {
        return lease.signal();
      },
      fence,
      attempt,
      takenOver,
      derive: (name) => deriveKey(call.key, name),
      phase: (name, work) => runPhase(core, call, record, name, work),
    },
    async complete(value) {
      await persist(core, call, fence, await core.codec.encode(call.key, value), lease.lost);
      core.durations.observe(call.key.operation, core.clock.monotonic() - startedAt);
      end();
    },
    async release(state) {
      if (ended) return;
      lease.stop();
      const { ttl } = call.policy;
      const told = core.guard('release', () => core.store.release(call.key, fence, state, ttl));
      await told.catch(() => undefined);
      end();
    },
  };
}

function pick({ key, traceparent }: Call): { tenant: string; operation: string; traceparent: string | undefined } {
  return { tenant: key.tenant, operation: key.operation, traceparent };
}

interface HeldLease {
  /** Made when somebody asks for it: most executions are short, and a signal costs more than all else of them. */
  signal(): AbortSignal;
  lost(): LeaseLostError | undefined;
  stop(): void;
}

function holdLease<Tx>(core: Core<Tx>, call: Call, { record, since }: Admitted, info: ExecutionInfo): HeldLease {
  const { lease, ttl, heartbeat } = call.policy;
  let abort: AbortController | undefined;
  let signal: AbortSignal | undefined;
  let lost: LeaseLostError | undefined;
  const stop = startHeartbeat({
    clock: core.clock,
    lease,
    since,
    beat: heartbeat,
    extend: () => core.guard('extend', () => core.store.extend(call.key, record.fence, { lease, ttl })),
    lost: (cause) => {
      lost = new LeaseLostError(call.key, record.fence, { cause });
      abort?.abort(lost);
      core.instrumentation.onLeaseLost?.(info);
    },
  });
  const open = (): AbortSignal => {
    abort = new AbortController();
    if (lost) abort.abort(lost);
    return call.signal ? AbortSignal.any([call.signal, abort.signal]) : abort.signal;
  };
  return {
    signal: () => {
      signal ??= open();
      return signal;
    },
    stop,
    lost: () => lost,
  };
}

/** Puts a promise into `core.running` and returns the function that settles and removes it. */
function announce<Tx>(core: Core<Tx>, call: Call): () => void {
  const id = recordId(call.key);
  let settle = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  core.running.set(id, ended);
  return () => {
    if (core.running.get(id) === ended) core.running.delete(id);
    settle();
  };
}

/** Stores the result; while the store is unreachable, tries again until the lease is over. */
async function persist<Tx>(
  core: Core<Tx>,
  call: Call,
  fence: number,
  result: string,
  lost: () => LeaseLostError | undefined,
): Promise<void> {
  const { ttl } = call.policy;
  let uncertain = false;
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    const gone = lost();
    if (gone) throw gone;
    try {
      if (await core.guard('complete', () => core.store.complete(call.key, fence, result, ttl))) return;
      if (uncertain && (await isStored(core, call, fence, result))) return;
      throw new LeaseLostError(call.key, fence);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      uncertain = true;
      await sleep(core.clock, pause, undefined);
    }
  }
}

/** A try whose answer was lost may have stored the result: then the record says so. */
async function isStored<Tx>(core: Core<Tx>, call: Call, fence: number, result: string): Promise<boolean> {
  const record = await core.guard('read', () => core.store.read(call.key));
  return record?.state === 'done' && record.fence === fence && record.result === result;
}

/** See {@link ExecutionContext.phase}. */
export async function runPhase<Tx, T>(
  core: Core<Tx>,
  call: Call,
  record: IdempotencyRecord,
  name: string,
  work: (tx: Tx) => T | Promise<T>,
): Promise<T> {
  if (typeof name !== 'string' || name === '') throw new InvalidKeyError('A phase needs a name.');
  const finished = Object.hasOwn(record.phases, name) ? record.phases[name] : undefined;
  if (finished !== undefined) return (await core.codec.decode(call.key, finished)) as T;
  const { store } = core;
  const finish = async (tx: Tx, target: typeof store): Promise<T> => {
    const value = await work(tx);
    const text = await core.codec.encode(call.key, value);
    if (await target.checkpoint(call.key, record.fence, name, text)) return value;
    throw new LeaseLostError(call.key, record.fence);
  };
  if (!store.transaction || !store.within) return finish(undefined as Tx, store);
  const within = store.within.bind(store);
  return store.transaction((tx) => finish(tx, within(tx)));
}
