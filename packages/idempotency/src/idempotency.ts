import { type Admin, createAdmin } from './admin.ts';
import { type Core, createCore, prepareCall } from './core.ts';
import { InvalidOptionError } from './errors.ts';
import type { ExecutionContext, IdempotencyOptions, RunRequest, RunResult } from './options.ts';
import { observed } from './outcome.ts';
import { runCall, runWithin } from './run.ts';
import { startSweeper } from './sweeper.ts';

/** Executes operations once per key. Make one with {@link createIdempotency}. */
export interface Idempotency<Tx = undefined> extends Admin, AsyncDisposable {
  /**
   * Calls `work` unless it was executed before with this key and input; then the first value is returned.
   * An error of `work` ends the execution without a result: the next call with the key executes again, finished phases excepted.
   *
   * @throws IdempotencyMismatchError when the key was used with another input
   * @throws IdempotencyInProgressError while the first execution runs (`retryAfter` says when to ask again)
   * @throws IdempotencyDuplicateError when duplicates are refused
   * @throws LeaseLostError when this execution was too slow to say that it lives and another may run
   * @throws OutcomeUnknownError when an earlier execution died and the operation parks such cases
   * @throws StoreUnavailableError when the store cannot be asked, or the result cannot be stored
   * @throws InvalidKeyError, UnserializableError for a key, tenant, operation or input that cannot be used
   * @example
   * ```ts
   * const { value, replayed } = await idempotency.run(
   *   { tenant: 'acme', operation: 'charge', key: orderId, input: { amount: 1200 } },
   *   async ({ signal, derive }) => payments.charge({ amount: 1200, idempotencyKey: derive('charge'), signal }),
   * );
   * ```
   */
  run<T>(request: RunRequest, work: (context: ExecutionContext<Tx>) => T | Promise<T>): Promise<RunResult<T>>;
  /**
   * The same inside a transaction that the caller opened and will commit: key, the caller's rows and the result become visible together,
   * or not at all. A concurrent call with the same key waits for this transaction's end on the database's row lock.
   * Needs a store with transactions and READ COMMITTED (at a higher level, expect serialization failures and retry the transaction).
   *
   * @throws as {@link Idempotency.run}; errors of the database pass through unchanged. Roll back when it throws.
   */
  tx<T>(
    client: Tx,
    request: RunRequest,
    work: (tx: Tx, context: ExecutionContext<Tx>) => T | Promise<T>,
  ): Promise<RunResult<T>>;
  /** Stops the sweeper and closes what the store opened. Executions that run are not waited for. */
  close(): Promise<void>;
}

/**
 * Opens idempotent execution over a store.
 *
 * @example
 * ```ts
 * await using idempotency = createIdempotency({ store: memoryStore(), duplicates: 'replay' });
 * ```
 * @throws InvalidOptionError and InvalidDurationError for options that cannot work
 */
export function createIdempotency<Tx = undefined>(options: IdempotencyOptions<Tx>): Idempotency<Tx> {
  const core = createCore(options);
  const admin = createAdmin(core);
  const sweeper = startSweeper(core, admin, options.sweepInterval ?? '1m');
  const close = async (): Promise<void> => {
    sweeper.stop();
    core.cache?.clear();
    await core.store.close();
  };
  return {
    ...admin,
    async run(request, work) {
      const call = prepareCall(core, request);
      return observed(core, call, () => runCall(core, call, work));
    },
    async tx(client, request, work) {
      const call = prepareCall(core, request);
      const store = transactional(core, client);
      return observed(core, call, () => runWithin(core, call, client, store, work));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function transactional<Tx>({ store }: Core<Tx>, client: Tx): Core<Tx>['store'] {
  if (store.within) return store.within(client);
  throw new InvalidOptionError(
    `The ${store.name} store has no transactions: use postgresStore(), or run() with phases.`,
  );
}
