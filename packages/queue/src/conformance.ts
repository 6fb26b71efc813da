import { backpressure } from './conformance/backpressure.ts';
import { deadLetter } from './conformance/dead-letter.ts';
import { dedupe } from './conformance/dedupe.ts';
import { delay } from './conformance/delay.ts';
import { delivery } from './conformance/delivery.ts';
import { fairness } from './conformance/fairness.ts';
import { fencing } from './conformance/fencing.ts';
import { flows } from './conformance/flows.ts';
import {
  type Case,
  type ConformanceTarget,
  type Group,
  holdAdapter,
  openFixture,
  type TestFunctions,
} from './conformance/harness.ts';
import { hints } from './conformance/hints.ts';
import { leases } from './conformance/leases.ts';
import { limits } from './conformance/limits.ts';
import { ordering } from './conformance/ordering.ts';
import { retention } from './conformance/retention.ts';
import { retry } from './conformance/retry.ts';
import { schedules } from './conformance/schedules.ts';
import { steering } from './conformance/steering.ts';

export type { ConformanceTarget, TestFunctions } from './conformance/harness.ts';

/** The groups of the suite, by name. */
const groups: Readonly<Record<string, Group>> = {
  delivery,
  leases,
  fencing,
  ordering,
  delay,
  retry,
  'dead letters': deadLetter,
  dedupe,
  fairness,
  limits,
  backpressure,
  flows,
  schedules,
  steering,
  retention,
  hints,
};

/**
 * Proves that an adapter keeps the contract. Every case runs on a queue of its own; cases of one file run one after another.
 *
 * @example
 * import { afterAll, describe, it } from 'vitest';
 * import { describeAdapter } from '@millrace/queue/conformance';
 *
 * describeAdapter({ afterAll, describe, it }, { name: 'mine', create: () => myAdapter() });
 */
export function describeAdapter(functions: TestFunctions, target: ConformanceTarget): void {
  const { describe, it, afterAll } = functions;
  describe(`${target.name} keeps the queue contract`, () => {
    const holder = holdAdapter(target);
    afterAll(() => holder.close());
    const test: Case = (name, body) => {
      it(name, async () => {
        const fixture = await openFixture(holder);
        try {
          await body(fixture);
        } finally {
          await fixture.close();
        }
      });
    };
    for (const [name, group] of Object.entries(groups)) describe(name, () => group(test));
  });
}
