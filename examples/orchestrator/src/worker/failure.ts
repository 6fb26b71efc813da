import { RunCancelledError, RunFailure, RunFencedError } from '../runs/errors.ts';
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
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly exitCode?: number | null };

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
  if (session.signal.aborted) return { kind: 'interrupted' };
  const { code, message } = describe(error);
  if (error instanceof RunParkedError) {
    const { reason, retryAfter, message } = error;
    return { kind: 'parked', reason, retryAfter, message };
  }
  if (error instanceof AgentExitError) return { kind: 'failed', code, message, exitCode: error.exitCode };
  const final = !isRetryable(error) || session.run.attempt >= context.config.runMaxAttempts;
  return { kind: final ? 'failed' : 'retry', code, message };
}

/** Errors that know say so; of the others only our own verdict on the input is final: the rest may be the weather. */
function isRetryable(error: unknown): boolean {
  if (error instanceof RunFailure) return false;
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
      const set = { attempt, parked_reason: reason, parked_until: new Date(Date.now() + retryAfter) };
      return await session.advance('parked', { set, data: { reason } });
    }
    case 'failed': {
      const { code, message, exitCode = null } = verdict;
      await session.log.write('system', message);
      const error = JSON.stringify({ code, message });
      return await session.advance('failed', { set: { error, exit_code: exitCode }, data: { code, message } });
    }
  }
}

/** Before there is a commit the run waits in `queued` for its next delivery; after, where it is. */
function laterState(state: RunState): RunState {
  return state === 'pushing' || state === 'pr_open' || state === 'ci_waiting' ? state : 'queued';
}
