import { join } from 'node:path';
import { writeHead } from '../git/git-dir.ts';
import type { Services } from '../services.ts';
import { ensureTemplate, templateIdOf, templateTree } from '../template/templates.ts';
import type { Made, MakeRequest, Strategy } from './strategy.ts';

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
  const view = await services.overlays.mount({ layers: [lower], folder: request.folder });
  services.step('overlay:mounted');
  return { view, warm, pristineIndex: join(lower, '.git', 'index') };
}

/** Copy-on-write by overlayfs over an immutable template; needs the right to mount. */
export const overlayStrategy: Strategy = {
  name: 'overlay',
  probe: async ({ overlays }) => ({ strategy: 'overlay', ...(await overlays.probe()) }),
  make,
};
