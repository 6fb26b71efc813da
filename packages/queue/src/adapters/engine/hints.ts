import type { ControlOperation, EnqueueAnswer, ExchangeAnswer, ExchangeRequest, Hint } from '../../contract/index.ts';

/** What others may want to know after jobs were stored. */
export function hintsOfEnqueue(answers: readonly EnqueueAnswer[]): readonly Hint[] {
  return answers.some((answer) => answer.status !== 'rejected') ? ['ready'] : [];
}

/** What others may want to know after an exchange. That a limit has room again is no hint: the worker that made the room claims in the same call. */
export function hintsOfExchange(request: ExchangeRequest, answer: ExchangeAnswer): readonly Hint[] {
  const finished = request.settle.some(({ kind }) => kind === 'ack' || kind === 'dead' || kind === 'cancelled');
  const cameBack =
    request.end || answer.swept.expired.length > 0 || request.settle.some(({ kind }) => kind === 'release');
  if (finished) return cameBack ? ['finished', 'ready'] : ['finished'];
  return cameBack ? ['ready'] : [];
}

const changing: ReadonlySet<ControlOperation> = new Set([
  'configure',
  'limitTenant',
  'resume',
  'setPriority',
  'promote',
  'redrive',
  'fireSchedule',
  'putSchedule',
] satisfies ControlOperation[]);

/** What others may want to know after a control operation. */
export function hintsOfControl(operation: ControlOperation): readonly Hint[] {
  if (operation === 'cancel') return ['cancel', 'finished'];
  return changing.has(operation) ? ['ready'] : [];
}
