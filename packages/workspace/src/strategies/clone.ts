import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { plainView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import { buildTree } from '../template/tree.ts';
import type { Made, MakeRequest, Strategy } from './strategy.ts';

async function make(services: Services, request: MakeRequest): Promise<Made> {
  const { folder, branch, origin, identity, supply } = request;
  const tree = join(folder, 'tree');
  await mkdir(tree);
  await buildTree(services, tree, request, { branch, origin, identity, upstream: supply.name }, request.signal);
  await request.fill?.(tree);
  const pristineIndex = join(folder, 'pristine-index');
  await copyFile(join(tree, '.git', 'index'), pristineIndex);
  return { view: plainView(tree), warm: false, pristineIndex };
}

/** Borrowed objects and files of its own: always works, without any right. */
export const cloneStrategy: Strategy = {
  name: 'clone',
  probe: async () => ({ strategy: 'clone', available: true, reason: 'needs nothing' }),
  make,
};
