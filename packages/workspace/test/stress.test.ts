import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Clock } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';
import { stress } from './support/stress.ts';

// `npm run test:stress` gives it minutes; here it runs for a few rounds.
const minutes = Number(process.env.MILLRACE_STRESS_MINUTES ?? 0);
const DAY = 24 * 60 * 60 * 1000;

function mirrors(it: Fixture): string[] {
  const root = join(it.root, 'mirrors');
  const folder = join(root, readdirSync(root)[0] as string);
  return readdirSync(folder)
    .filter((name) => name.startsWith('generation'))
    .map((name) => join(folder, name));
}

/** Each look at the time is days later, so that every prune collects garbage. */
function hurried(): Clock {
  let days = 0;
  return {
    now: () => {
      days += 1;
      return Date.now() + days * DAY;
    },
    monotonic: () => performance.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms).unref(),
    clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
  };
}

test(
  'eight agents write, commit, fetch and collect while the mirror is rewritten and maintained: all stay whole',
  async () => {
    await using it = fixture();
    const manager = it.manager({ clock: hurried() });
    const end = Date.now() + minutes * 60_000;
    const broken = await stress(it, manager, { agents: 8, goOn: (round) => round < 4 || Date.now() < end });
    expect(broken).toEqual([]);
    for (const mirror of mirrors(it)) git(mirror, '--git-dir=.', 'fsck', '--full', '--strict', '--no-dangling');
    await manager.close();
    expectNothingLeft(it.root);
  },
  minutes * 60_000 + 120_000,
);

test('a planted unsafe collection is caught: without pins, agents end with broken repositories', async () => {
  await using it = fixture();
  const manager = it.manager({ strategies: ['clone'] });
  const broken = await stress(it, manager, {
    agents: 3,
    goOn: (round) => round < 3,
    meddle: () => {
      for (const mirror of mirrors(it)) {
        for (const ref of git(mirror, '--git-dir=.', 'for-each-ref', '--format=%(refname)', 'refs/millrace').split(
          '\n',
        ))
          if (ref !== '') git(mirror, '--git-dir=.', 'update-ref', '-d', ref);
        git(mirror, '--git-dir=.', 'gc', '--quiet', '--prune=now');
      }
    },
  });
  expect(broken.length).toBeGreaterThan(0);
}, 120_000);
