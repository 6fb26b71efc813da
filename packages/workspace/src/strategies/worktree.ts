import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidOptionError } from '../errors.ts';
import { plainView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import { writeFiles } from '../template/tree.ts';
import { addWorktree, hubPath } from '../worktree/hub.ts';
import type { Made, MakeRequest, Strategy } from './strategy.ts';

async function make(services: Services, request: MakeRequest): Promise<Made> {
  const { folder, supply, lease, fill, signal } = request;
  if (fill !== undefined)
    throw new InvalidOptionError('submodules', 'do not go with the strategy `worktree`: git itself can not share them');
  const tree = join(folder, 'tree');
  await mkdir(tree);
  const own = await addWorktree(services, request, tree);
  services.step('worktree:added');
  await writeFiles(services, tree, own, request, signal);
  const pristineIndex = join(folder, 'pristine-index');
  await copyFile(join(own, 'index'), pristineIndex);
  const hub = hubPath(services, supply.address.key, supply.generation);
  const common = { root: hub, names: [] };
  return {
    view: plainView(tree),
    warm: false,
    pristineIndex,
    agent: { own: { root: hub, names: ['worktrees', lease.leaseId] }, common, shared: join(hub, 'objects') },
  };
}

/** A worktree as `git worktree` makes it: branches, configuration and objects are shared with its siblings. */
export const worktreeStrategy: Strategy = {
  name: 'worktree',
  probe: async () => ({
    strategy: 'worktree',
    available: true,
    reason: 'needs nothing; for checkouts with `trusted: true` only',
  }),
  make,
};
