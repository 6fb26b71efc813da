import { describe, expect, test } from 'vitest';
import { type Exploration, explore } from './explore.ts';
import { type Machine, planted, shipped } from './machines.ts';

/**
 * The stated depth: two executors with two executions each (each of any number of extensions and checkpoints, ending in completion,
 * release or death), one crash, one end of a lease, one end of the ttl, one sweep and one decision of an administrator, in every order.
 */
const scenarios: readonly Omit<Exploration, 'machine'>[] = (['takeover', 'park'] as const).flatMap((onExpiredLease) =>
  [
    ['one', 'other'],
    ['same', 'same'],
  ].map((fingerprints) => ({
    onExpiredLease,
    fingerprints,
    runs: 2,
    events: { crash: 1, leaseEnds: 1, ttlEnds: 1, sweep: 1, resolve: 1 },
  })),
);

/** The first violation in any scenario. */
function firstViolation(machine: Machine) {
  for (const scenario of scenarios.toReversed()) {
    const { violation } = explore({ ...scenario, machine });
    if (violation) return violation;
  }
  return undefined;
}

describe('the model checker', { timeout: 120_000 }, () => {
  test.each(
    scenarios.map((scenario) => [scenario.onExpiredLease, scenario.fingerprints.join(' and '), scenario] as const),
  )('finds nothing under %s with inputs %s', (_policy, _inputs, scenario) => {
    const { states, violation } = explore({ ...scenario, machine: shipped });
    expect(violation).toBeUndefined();
    // So many states are there to see: an exploration that stopped early would prove nothing.
    expect(states).toBeGreaterThan(5000);
  });

  test.each(Object.entries(planted))('finds the planted bug: %s', (_name, machine) => {
    expect(firstViolation(machine)?.rule).toEqual(expect.any(String));
  });
});
