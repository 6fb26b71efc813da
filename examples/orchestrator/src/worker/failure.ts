import { ForgeError } from '../forge/forge.ts';
import { type FailureClass, RunCancelledError, RunFailure, RunFencedError } from '../runs/errors.ts';
import type { RunState } from '../runs/states.ts';
import type { WorkerContext } from './context.ts';
import { AgentExitError, RunParkedError } from './judge.ts';
import type { RunSession } from './session.ts';

/** Why a run stopped before its end, and what follows from it. */
type Verdict =
  | { readonly kind: 'fenced' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'parked'; readonly reason: string; readonly retryAfter: number; readonly message: string }
  | { readonly kind: 'retry'; readonly code: string; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly message: string;
      readonly class: FailureClass;
      readonly exitCode?: number | null;
    };

/**
 * Turns an error into the run's next state. Returns when the run has ended or is no longer ours; throws the error when
 * the queue should deliver the run again.
 */
export async function settleFailure(context: WorkerContext, session: RunSession, error: unknown): Promise<void> {
  const verdict = judge(context, session, error);
  if (verdict.kind === 'fenced') return;
  try {
    await record(session, verdict);
  } catch (lost) {
    if (lost instanceof RunFencedError) return;
    if (!(lost instanceof RunCancelledError)) throw lost;
    await record(session, { kind: 'cancelled' });
    return;
  }
  if (verdict.kind === 'retry' || verdict.kind === 'interrupted') throw error;
}

function judge(context: WorkerContext, session: RunSession, error: unknown): Verdict {
  if (error instanceof RunFencedError) return { kind: 'fenced' };
  if (error instanceof RunCancelledError || session.signal.reason instanceof RunCancelledError)
    return { kind: 'cancelled' };
  if (session.signal.reason instanceof RunFailure) return failed(session.signal.reason);
  if (session.signal.aborted) return { kind: 'interrupted' };
  if (error instanceof RunFailure) return failed(error);
  const parked = parkedBy(error);
  if (parked) return parked;
  const { code, message } = describe(error);
  if (!isRetryable(error)) return { kind: 'failed', code, message, class: 'fatal' };
  if (session.run.attempt >= context.config.runMaxAttempts)
    return { kind: 'failed', code, message, class: 'retryable' };
  return { kind: 'retry', code, message };
}

function failed(failure: RunFailure): Verdict {
  const { code, message } = failure;
  const exitCode = failure instanceof AgentExitError ? failure.exitCode : null;
  return { kind: 'failed', code, message, class: failure.class, exitCode };
}

/** A forge whose limits are used up says for how long; waiting for that is no attempt that failed. */
function parkedBy(error: unknown): Verdict | undefined {
  if (error instanceof RunParkedError) {
    const { reason, retryAfter, message } = error;
    return { kind: 'parked', reason, retryAfter, message };
  }
  if (!(error instanceof ForgeError) || !error.retryable || error.retryAfter === undefined) return undefined;
  return { kind: 'parked', reason: 'provider-limit', retryAfter: error.retryAfter, message: error.message };
}

/** Errors that know say so; the rest may be the weather. */
function isRetryable(error: unknown): boolean {
  const known = (error as { retryable?: unknown } | null)?.retryable;
  return typeof known === 'boolean' ? known : true;
}

function describe(error: unknown): { code: string; message: string } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' && code.startsWith('ERR_') ? code : 'ERR_INTERNAL',
    message: typeof message === 'string' ? message : String(error),
  };
}

async function record(session: RunSession, verdict: Exclude<Verdict, { kind: 'fenced' }>): Promise<void> {
  const { run } = session;
  switch (verdict.kind) {
    case 'cancelled':
      return await session.advance('cancelled');
    case 'interrupted':
      return await session.advance(laterState(run.state), { type: 'interrupted', set: { attempt: run.attempt - 1 } });
    case 'retry':
      await session.log.write('system', `${verdict.message} Trying again later.`);
      await session.log.flush();
      return await session.advance(laterState(run.state), { type: 'retry', data: { code: verdict.code } });
    case 'parked': {
      const { reason, retryAfter, message } = verdict;
      await session.log.write('system', message);
      await session.log.flush();
      const attempt = run.attempt - 1;
      // Up to a fifth longer, so that what waits for one thing does not come back all at once.
      const until = new Date(Date.now() + retryAfter * (1 + Math.random() / 5));
      const set = { attempt, parked_reason: reason, parked_until: until };
      return await session.advance('parked', { set, data: { reason } });
    }
    case 'failed': {
      const { code, message, exitCode = null } = verdict;
      await session.log.write('system', message);
      const problem = { code, message, class: verdict.class };
      const set = { error: JSON.stringify(problem), exit_code: exitCode };
      return await session.advance('failed', { set, data: problem });
    }
  }
}

/** Before there is a commit the run waits in `queued` for its next delivery; after, where it is. */
function laterState(state: RunState): RunState {
  return state === 'pushing' || state === 'pr_open' || state === 'ci_waiting' ? state : 'queued';
}
