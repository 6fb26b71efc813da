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

/** The run cannot succeed by trying again: the input or the agent is at fault. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure' as const;
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
