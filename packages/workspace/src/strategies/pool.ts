import { join } from 'node:path';
import { writeHead } from '../git/git-dir.ts';
import { plainView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import { takeMember } from '../template/pool.ts';
import type { Made, MakeRequest, Strategy } from './strategy.ts';

async function make(services: Services, request: MakeRequest): Promise<Made | undefined> {
  const { folder, supply, sparse, branch, origin, identity } = request;
  if (!(await takeMember(services, request, folder))) return undefined;
  services.step('pool:taken');
  const path = join(folder, 'tree');
  await writeHead(join(path, '.git'), {
    borrowFrom: supply.gitDir,
    format: supply.format,
    commit: supply.commit,
    branch,
    origin,
    upstream: supply.name,
    identity,
    sparse,
    symlinks: services.symlinks,
  });
  await request.fill?.(path);
  return { view: plainView(path), warm: true, pristineIndex: join(folder, 'pristine-index') };
}

/** A working tree that was written before somebody asked for it, taken by rename. */
export const poolStrategy: Strategy = {
  name: 'pool',
  probe: async () => ({
    strategy: 'pool',
    available: true,
    reason: 'needs nothing; falls through when no member is ready',
  }),
  make,
};
