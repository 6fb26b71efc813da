import { createQueue, defineJob } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { expect, it } from 'vitest';
import { simulate } from './scenario.ts';

/** Files that share the seeds. */
const files = 2;

/** Runs every second seed: `SIMULATION_SEEDS` of them in both files together, from `SIMULATION_FIRST` on. */
export function seedsTest(file: 1 | 2): void {
  const seeds = Number(process.env.SIMULATION_SEEDS ?? 10_000);
  const first = Number(process.env.SIMULATION_FIRST ?? 1);
  it(`half of ${seeds} seeds of crashes, pauses, clock jumps and store faults violates nothing`, {
    timeout: 86_400_000,
  }, async () => {
    for (let seed = first + file - 1; seed < first + seeds; seed += files) {
      const violations = await simulate(seed, { createQueue, defineJob, memoryAdapter });
      if (violations.length > 0)
        expect(violations, `repeat it: SIMULATION_FIRST=${seed} SIMULATION_SEEDS=1`).toEqual([]);
    }
  });
}
