import { join } from 'node:path';
import { plainView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import { takeMember } from '../template/pool.ts';
import { type Made, type MakeRequest, personalise, type Strategy } from './strategy.ts';

async function make(services: Services, request: MakeRequest): Promise<Made | undefined> {
  const { folder } = request;
  if (!(await takeMember(services, request, folder))) return undefined;
  services.step('pool:taken');
  const path = join(folder, 'tree');
  await personalise(services, path, request);
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
