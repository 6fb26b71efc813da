/** Every state of a run, in the order of its life. */
export const runStates = [
  'queued',
  'admitted',
  'preparing',
  'running',
  'collecting',
  'pushing',
  'pr_open',
  'ci_waiting',
  'parked',
  'succeeded',
  'failed',
  'cancelled',
] as const;

export type RunState = (typeof runStates)[number];

/** States that nothing leaves. */
export const terminalStates = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly RunState[];

/** In these states no worker has the run. */
export const unheldStates = ['queued', 'parked', 'ci_waiting'] as const satisfies readonly RunState[];

const ending = ['failed', 'cancelled'] as const;

/**
 * The state machine. Before the commit exists, the recovery point of a run is its start: whoever takes over goes back
 * to `admitted` with a fresh workspace, and a retry later goes back to `queued`. From `pushing` on, the commit is kept
 * in the object store, and a run only moves forward.
 */
const edges: Record<RunState, readonly RunState[]> = {
  queued: ['admitted', 'parked', ...ending],
  admitted: ['admitted', 'preparing', 'queued', 'parked', ...ending],
  preparing: ['running', 'admitted', 'queued', 'parked', ...ending],
  running: ['collecting', 'admitted', 'queued', 'parked', ...ending],
  collecting: ['pushing', 'succeeded', 'admitted', 'queued', 'parked', ...ending],
  pushing: ['pr_open', 'succeeded', 'pushing', 'parked', ...ending],
  pr_open: ['ci_waiting', 'succeeded', 'pr_open', 'parked', ...ending],
  ci_waiting: ['succeeded', 'ci_waiting', 'parked', ...ending],
  parked: ['queued', 'pushing', ...ending],
  succeeded: [],
  failed: [],
  cancelled: [],
};

/** Whether the state machine has an edge from one state to the other. */
export function canMove(from: RunState, to: RunState): boolean {
  return edges[from].includes(to);
}

export function isTerminal(state: RunState): boolean {
  return edges[state].length === 0;
}

/** The state in which a worker that takes the run (for the first time, or over from another) begins. */
export function entryState(state: RunState): RunState {
  const hasCommit = state === 'pushing' || state === 'pr_open' || state === 'ci_waiting';
  return hasCommit ? state : 'admitted';
}
