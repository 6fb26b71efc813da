import { expect, test } from 'vitest';
import { canMove, entryState, isTerminal, type RunState, runStates, terminalStates } from '../src/runs/states.ts';

const reachable = (from: RunState): Set<RunState> => {
  const seen = new Set<RunState>([from]);
  for (const state of seen) for (const next of runStates) if (canMove(state, next)) seen.add(next);
  return seen;
};

test('every state is reached from queued', () => {
  expect([...reachable('queued')].sort()).toEqual([...runStates].sort());
});

test('every state that is not an end can still succeed, fail and be cancelled', () => {
  for (const state of runStates.filter((state) => !isTerminal(state))) {
    for (const end of terminalStates) expect(reachable(state), `${state} → ${end}`).toContain(end);
  }
});

test('nothing leaves an end', () => {
  for (const end of terminalStates) expect(runStates.filter((state) => canMove(end, state))).toEqual([]);
});

test('whoever takes a run over may move it to where it begins', () => {
  const open = runStates.filter((state) => !isTerminal(state) && state !== 'parked');
  for (const state of open) expect(canMove(state, entryState(state)), state).toBe(true);
});

test('once there is a commit a run never goes back', () => {
  const withCommit: RunState[] = ['pushing', 'pr_open', 'ci_waiting'];
  const before: RunState[] = ['queued', 'admitted', 'preparing', 'running', 'collecting'];
  for (const from of withCommit) for (const to of before) expect(canMove(from, to), `${from} → ${to}`).toBe(false);
});
