/** This worker no longer holds the run: another one took it over, or it ended. What was being written has no effect. */
export class RunFencedError extends Error {
  override readonly name = 'RunFencedError' as const;
  readonly code = 'ERR_RUN_FENCED' as const;
  constructor(runId: string) {
    super(`Run ${runId} is no longer held by this worker; its write had no effect.`);
  }
}

/** Somebody asked for the run to be cancelled; the worker that holds it must stop and say so. */
export class RunCancelledError extends Error {
  override readonly name = 'RunCancelledError' as const;
  readonly code = 'ERR_RUN_CANCELLED' as const;
  constructor(runId: string) {
    super(`Run ${runId} was cancelled.`);
  }
}

/**
 * Why a run failed, for whoever counts or decides by it: `retryable`, the weather, which did not change in time;
 * `fatal`, the input or the agent; `timeout`, `oom` and `budget`, a bound that it ran into.
 */
export const failureClasses = ['retryable', 'fatal', 'timeout', 'oom', 'budget'] as const;
export type FailureClass = (typeof failureClasses)[number];

/** The run cannot succeed by trying again: the input or the agent is at fault, or it ran into a bound of its own. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure' as const;
  readonly code: string;
  readonly class: FailureClass;
  constructor(code: string, message: string, options: ErrorOptions & { readonly class?: FailureClass } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.class = options.class ?? 'fatal';
  }
}

/** The run took longer, its waits included, than whoever asked for it allowed. */
export function deadlineOver(): RunFailure {
  const message = 'The deadline of the run is over; submit it again with a later one, or with a higher priority.';
  return new RunFailure('ERR_RUN_DEADLINE', message, { class: 'timeout' });
}
