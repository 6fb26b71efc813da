import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFullError, StrategyUnavailableError } from '../errors.ts';
import { writeHead } from '../git/git-dir.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import type { StrategyProbe } from '../strategy.ts';
import { ensureTemplate, templateIdOf, templateTree } from '../template/templates.ts';
import { requestMount } from './mount-batches.ts';
import { mountsBelow, unmountBelow } from './mounts.ts';
import type { Made, MakeRequest, Strategy } from './strategy.ts';

async function mountOverlay(lower: string, folder: string): Promise<void> {
  const [upper, work, tree] = [join(folder, 'upper'), join(folder, 'work'), join(folder, 'tree')];
  await Promise.all([upper, work, tree].map((path) => mkdir(path, { recursive: true })));
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const { ok, words } = await requestMount({ options, target: tree });
  if (ok) return;
  if (/no space left/i.test(words)) throw new DiskFullError(`Mounting ${tree} failed: no space left. Free some`);
  throw new StrategyUnavailableError(`Mounting an overlay failed: ${words}`);
}

async function probe(services: Services): Promise<StrategyProbe> {
  const { root, owner } = services;
  const answer = (available: boolean, reason: string): StrategyProbe => ({ strategy: 'overlay', available, reason });
  if (process.platform !== 'linux') return answer(false, 'overlayfs exists on Linux only');
  if (/[,:\\\s]/.test(root.path))
    return answer(false, 'the path of the root holds a character that mount options can not');
  const folder = stagingPath(root, owner.id);
  try {
    await mkdir(join(folder, 'lower'), { recursive: true });
    await writeFile(join(folder, 'lower', 'probe'), '');
    await mountOverlay(join(folder, 'lower'), folder);
    return answer(true, 'mounted and unmounted an overlay below the root');
  } catch (error) {
    return answer(false, (error as Error).message);
  } finally {
    await unmountBelow(folder);
    await discard(root, folder);
  }
}

/** What makes this checkout different goes into the upper folder before the mount: no copy-up, no process. */
async function writeUpper(services: Services, request: MakeRequest): Promise<void> {
  const { supply, sparse, branch, origin, identity, folder } = request;
  await writeHead(join(folder, 'upper', '.git'), {
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
}

async function make(services: Services, request: MakeRequest): Promise<Made> {
  const id = templateIdOf(services, request);
  await request.hold(id);
  const warm = await ensureTemplate(services, request, request.signal);
  await writeUpper(services, request);
  services.step('overlay:upper');
  const lower = templateTree(services, id);
  await mountOverlay(lower, request.folder);
  services.step('overlay:mounted');
  return { path: join(request.folder, 'tree'), warm, pristineIndex: join(lower, '.git', 'index') };
}

/** Copy-on-write by overlayfs over an immutable template; needs the right to mount. */
export const overlayStrategy: Strategy = {
  name: 'overlay',
  probe,
  make,
  release: async (_services, folder) => {
    if ((await mountsBelow(folder)).length > 0) await unmountBelow(folder);
  },
};
