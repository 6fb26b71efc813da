import type { ExecutionResult } from '../executors/executor.ts';
import { RunFailure } from '../runs/errors.ts';
import type { AgentReport } from './agent-output.ts';

/** The agent itself said that it failed. */
export class AgentExitError extends RunFailure {
  readonly exitCode: number | null;
  constructor(message: string, exitCode: number | null) {
    super('ERR_AGENT_FAILED', message);
    this.exitCode = exitCode;
  }
}

/** The run cannot go on now through no fault of its own: it waits, and goes on by itself. */
export class RunParkedError extends Error {
  override readonly name = 'RunParkedError' as const;
  readonly code = 'ERR_RUN_PARKED' as const;
  readonly reason: string;
  /** Milliseconds after which it is worth trying again. */
  readonly retryAfter: number;
  constructor(reason: string, retryAfter: number, options?: ErrorOptions) {
    super(`The run waits: ${reason}.`, options);
    this.reason = reason;
    this.retryAfter = retryAfter;
  }
}

export interface AgentEnd {
  readonly result: ExecutionResult;
  readonly report: AgentReport;
  /** What the gateway refused for good, if it did. */
  readonly refusal: unknown;
  /** Milliseconds. */
  readonly timeout: number;
}

/**
 * Returns when the agent has done its work; throws what became of it otherwise. A budget that begins anew some day parks
 * the run until then; one that never does is its end.
 */
export function judgeAgent({ result, report, refusal, timeout }: AgentEnd): void {
  if (refusal !== undefined) {
    const { retryAfter = Number.POSITIVE_INFINITY, message } = refusal as { retryAfter?: number; message: string };
    if (Number.isFinite(retryAfter)) throw new RunParkedError('budget', retryAfter, { cause: refusal });
    throw new RunFailure('ERR_RUN_BUDGET', `The run may spend no more. ${message}`, { cause: refusal });
  }
  if (result.reason === 'timeout') {
    throw new RunFailure('ERR_AGENT_TIMEOUT', `The agent was stopped after ${timeout} ms; give it a longer timeout.`);
  }
  if (result.reason === 'oom') {
    throw new RunFailure(
      'ERR_AGENT_OOM',
      'The agent needed more memory than it may have; raise memory in EXECUTOR_URL, or give it less to do.',
    );
  }
  if (result.exitCode !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`;
    throw new AgentExitError(`The agent ${how}; its log tells why.`, result.exitCode);
  }
  if (report.result?.ok === false) {
    throw new AgentExitError(`The agent reports an error: ${report.result.text || 'see its log'}`, 0);
  }
}
