import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Deployment, startDeployment } from './deployment.ts';
import { fullOrdeals, shortOrdeals } from './faults.ts';
import { allEnded, expectEachOnce, type Load, startChecks, statesOf, submitAll, underWay } from './load.ts';

// `npm test` strikes once with each fault under 20 runs; `npm run faults` six times, each under 200 runs of its own, on
// 3 APIs and 4 workers: all of them, or with `-- -t Redis` those of one name.
const full = process.env.FAULTS === 'full';
const size = full ? { apis: 3, workers: 4 } : { apis: 1, workers: 2 };
const total = full ? 200 : 20;

let deployment: Deployment;
beforeAll(async () => {
  deployment = await startDeployment(size);
}, 180_000);
afterAll(() => deployment[Symbol.asyncDispose]());

test.each(full ? fullOrdeals : shortOrdeals)(
  'under load: $name; every run ends once, with one branch and one pull request',
  async ({ name, strikes, withChecks = false }) => {
    const origin = deployment.origins[withChecks ? 'github' : 'local'];
    const load: Load = { deployment, origin, total, withChecks, name };
    const checks = withChecks ? startChecks(load) : undefined;
    try {
      const submitting = submitAll(load);
      for (const [turn, strike] of strikes.entries()) {
        await underWay(load, Math.ceil(((turn + 0.5) * total) / (strikes.length + 1)));
        if (full) console.info(name, turn + 1, Object.fromEntries(await statesOf(load)));
        await strike(deployment, turn);
      }
      await submitting;
      await allEnded(load);
    } finally {
      await checks?.stop();
    }
    await expectEachOnce(load);
    expect(deployment.github.violations).toEqual([]);
    const heads = deployment.github.repo.pulls.map(({ head }) => (head as { ref: string }).ref);
    expect(heads, 'a branch has one pull request at GitHub, too').toEqual([...new Set(heads)]);
  },
  full ? 3_600_000 : 540_000,
);
