import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createSubvolume, releaseSubvolume, snapshotSubvolume } from '../files/subvolume.ts';
import { plainView } from '../overlay/mounts.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import type { StrategyProbe } from '../strategy.ts';
import { templateIdOf, templateTree } from '../template/layers.ts';
import { ensureTemplate } from '../template/templates.ts';
import type { TreeSource } from '../template/tree.ts';
import { type Made, type MakeRequest, personalise, type Strategy } from './strategy.ts';

async function probe({ root, owner }: Services): Promise<StrategyProbe> {
  const answer = (available: boolean, reason: string): StrategyProbe => ({ strategy: 'snapshot', available, reason });
  const folder = stagingPath(root, owner.id);
  try {
    await mkdir(folder);
    await createSubvolume(join(folder, 'tree'));
    await snapshotSubvolume(join(folder, 'tree'), join(folder, 'copy'));
    return answer(true, 'took a snapshot of a btrfs subvolume below the root');
  } catch (error) {
    return answer(false, (error as Error).message);
  } finally {
    await releaseSubvolume(folder);
    await discard(root, folder);
  }
}

const inSubvolume = ({ supply, sparse, lfs }: TreeSource): TreeSource => ({ supply, sparse, lfs, subvolume: true });

async function make(services: Services, request: MakeRequest): Promise<Made> {
  const { folder } = request;
  const source = inSubvolume(request);
  const id = templateIdOf(services, source);
  const warm = await ensureTemplate(services, source, request.signal);
  const path = join(folder, 'tree');
  await snapshotSubvolume(templateTree(services, id), path);
  services.step('snapshot:taken');
  await personalise(services, path, request);
  return { view: plainView(path), warm, pristineIndex: join(templateTree(services, id), '.git', 'index') };
}

/** A snapshot of a template by btrfs: the cost of a template once, and of what changes. */
export const snapshotStrategy: Strategy = {
  name: 'snapshot',
  probe,
  templateOf: (services, source) => templateIdOf(services, inSubvolume(source)),
  make,
};
