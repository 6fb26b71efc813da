import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixture } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

test('fifty at once: none fails, each has a branch and a tree of its own, nothing stays', async () => {
  await using it = fixture();
  const manager = it.manager();
  await manager.prefetch(it.origin, { warm: {} });
  const workspaces = await Promise.all(
    Array.from({ length: 50 }, (_, at) => manager.checkout({ repo: it.origin, branch: `agent/${at}` })),
  );
  for (const [at, workspace] of workspaces.entries()) writeFileSync(join(workspace.path, 'readme.md'), `${at}\n`);
  for (const at of [0, 17, 49]) {
    const workspace = workspaces[at];
    expect(await workspace?.diff({ format: 'patch' })).toContain(`+${at}\n`);
    expect((await workspace?.exec('git', ['branch', '--show-current']))?.stdout).toBe(`agent/${at}\n`);
  }
  await manager.close();
  expectNothingLeft(it.root);
});
