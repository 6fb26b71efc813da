import { join } from 'node:path';
import { StrategyUnavailableError } from '../errors.ts';
import type { TreeView } from '../overlay/mounts.ts';
import type { Services } from '../services.ts';
import { hasTemplate, templateIdOf, templateLayers } from '../template/layers.ts';
import { ensureTemplate } from '../template/templates.ts';
import { type Made, type MakeRequest, personalise, type Strategy } from './strategy.ts';

/** Times that a template may go away (an evictor that thinks better of it) between the look and the mount. */
const LOOKS = 5;

interface Mounted {
  readonly view: TreeView;
  readonly layers: readonly string[];
  readonly warm: boolean;
}

async function mountTemplate(services: Services, request: MakeRequest, id: string, looks = LOOKS): Promise<Mounted> {
  const warm = await ensureTemplate(services, request, request.signal);
  try {
    const layers = await templateLayers(services, id);
    return { view: await services.overlays.mount({ layers, folder: request.folder }), layers, warm };
  } catch (error) {
    if (await hasTemplate(services, id)) throw error;
  }
  if (looks === 1) throw new StrategyUnavailableError(`Template ${id} goes away again and again; prune less often`);
  return await mountTemplate(services, request, id, looks - 1);
}

async function make(services: Services, request: MakeRequest): Promise<Made> {
  const id = templateIdOf(services, request);
  // It goes into the upper folder before the mount: no copy-up, no process.
  await personalise(services, join(request.folder, 'upper'), request);
  services.step('overlay:upper');
  const { view, layers, warm } = await mountTemplate(services, request, id);
  services.step('overlay:mounted');
  return { view, warm, pristineIndex: join(layers[0] as string, '.git', 'index') };
}

/** Copy-on-write by overlayfs over an immutable template; needs the right to mount, or a user namespace. */
export const overlayStrategy: Strategy = {
  name: 'overlay',
  probe: async ({ overlays }) => ({ strategy: 'overlay', ...(await overlays.probe()) }),
  templateOf: templateIdOf,
  make,
};
