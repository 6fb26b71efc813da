import type { DebitDecision, Pause, RateState, RateTable, Store } from '@millrace/ratelimit';

/**
 * A store whose clock cannot be changed (Redis), seen in time that runs `factor` times faster: limits get shorter on the way in, waits longer on the way out.
 */
export function scaledStore(store: Store, factor: number): Store {
  const tables = new WeakMap<RateTable, RateTable>();
  const shorter = (table: RateTable): RateTable => {
    const known = tables.get(table);
    if (known !== undefined) return known;
    const limits = table.limits.map((spec) => ({ ...spec, interval: spec.interval / factor }));
    const scaled = { ...table, limits, recovery: table.recovery * factor };
    tables.set(table, scaled);
    return scaled;
  };
  const longer = (decision: DebitDecision): DebitDecision => ({
    ...decision,
    wait: decision.wait * factor,
    pausedFor: decision.pausedFor * factor,
  });
  const state = (seen: RateState): RateState => ({ ...seen, pausedFor: seen.pausedFor * factor });
  const { rates } = store;
  return {
    ...store,
    rates: {
      debit: async (table, requests) => {
        const wishes = requests.map((request) => ({ ...request, maxWait: request.maxWait / factor }));
        return (await rates.debit(shorter(table), wishes)).map(longer);
      },
      adjust: (table, adjustments) => rates.adjust(shorter(table), adjustments),
      correct: (table, remaining) => rates.correct(shorter(table), remaining),
      pause: async (table, pause: Pause) =>
        state(
          await rates.pause(shorter(table), {
            ...pause,
            forMs: pause.forMs / factor,
            cooldownMs: pause.cooldownMs / factor,
          }),
        ),
      read: async (table) => state(await rates.read(shorter(table))),
    },
  };
}
