import type { ExecutionResult } from '../executors/executor.ts';
import type { Refusal } from '../gateway/refusal.ts';
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
  /** What ended the agent's access to its model, if something did. */
  readonly refusal: Refusal | undefined;
  /** Why its latest call of the model failed, if that passes. */
  readonly trouble: Refusal | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

/**
 * Returns when the agent has done its work; throws what became of it otherwise. What passes parks the run: a budget that
 * begins anew some day, a provider that is down or out of allowance. A budget that never begins anew is its end.
 */
export function judgeAgent({ result, report, refusal, trouble, timeout }: AgentEnd): void {
  if (refusal) throw verdictOn(refusal);
  if (result.reason === 'timeout') {
    const message = `The agent was stopped after ${timeout} ms; give it a longer timeout.`;
    throw new RunFailure('ERR_AGENT_TIMEOUT', message, { class: 'timeout' });
  }
  if (result.reason === 'oom') {
    const cure = 'raise memory in EXECUTOR_URL, or give it less to do';
    throw new RunFailure('ERR_AGENT_OOM', `The agent needed more memory than it may have; ${cure}.`, { class: 'oom' });
  }
  const failure = failureOf(result, report);
  if (failure) throw trouble ? verdictOn(trouble) : failure;
}

function verdictOn({ reason, message, retryAfter, cause }: Refusal): Error {
  if (Number.isFinite(retryAfter)) return new RunParkedError(reason, retryAfter, { cause });
  return new RunFailure('ERR_RUN_BUDGET', `The run may spend no more. ${message}`, { class: 'budget', cause });
}

function failureOf(result: ExecutionResult, report: AgentReport): AgentExitError | undefined {
  if (result.exitCode !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `exited with ${result.exitCode}`;
    return new AgentExitError(`The agent ${how}; its log tells why.`, result.exitCode);
  }
  if (report.result?.ok !== false) return undefined;
  return new AgentExitError(`The agent reports an error: ${report.result.text || 'see its log'}`, 0);
}
