import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '../files/owner.ts';
import { discard, type Root, stagingPath } from '../root.ts';
import { runTool } from '../tool.ts';
import { kernelMounts } from './kernel-mounts.ts';
import type { OverlayMounts } from './mounts.ts';
import { userNamespaceMounts } from './user-namespace.ts';

/** What the probe found. */
export interface OverlayProbe {
  readonly available: boolean;
  readonly reason: string;
}

/** The overlays of a manager: the way that works here, found by trying. */
export interface Overlays extends OverlayMounts {
  /** Tries the ways below the root; the others rely on its answer. */
  probe(): Promise<OverlayProbe>;
}

async function tryMount(root: Root, owner: Owner, mounts: OverlayMounts): Promise<string | undefined> {
  const folder = stagingPath(root, owner.id);
  try {
    await mkdir(join(folder, 'lower'), { recursive: true });
    await writeFile(join(folder, 'lower', 'probe'), '');
    const { path, enter } = await mounts.mount({ layers: [join(folder, 'lower')], folder });
    const [program, ...args] = [...enter(path), 'test', '-e', join(path, 'probe')];
    const { ok, words } = await runTool(program as string, args);
    return ok ? undefined : `the tree can not be entered: ${words}`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await mounts.release(folder);
    await discard(root, folder);
  }
}

/**
 * Overlays for a manager.
 *
 * @param userNamespaces also try a user namespace, in which only programs started through `enter` see the tree
 */
export function createOverlays(root: Root, owner: Owner, userNamespaces: boolean): Overlays {
  const [byRight, byNamespace] = [kernelMounts(root, owner), userNamespaceMounts(root)];
  let used: OverlayMounts = byRight;
  const probe = async (): Promise<OverlayProbe> => {
    if (process.platform !== 'linux') return { available: false, reason: 'overlayfs exists on Linux only' };
    if (/[,:\\\s]/.test(root.path))
      return { available: false, reason: 'the path of the root holds a character that mount options can not' };
    const refused = await tryMount(root, owner, byRight);
    if (refused === undefined) return { available: true, reason: 'mounted and unmounted an overlay below the root' };
    if (!userNamespaces)
      return { available: false, reason: `${refused}. Without that right, \`userNamespaces: true\` may help` };
    const inside = await tryMount(root, owner, byNamespace);
    if (inside !== undefined) return { available: false, reason: `${refused}; in a user namespace: ${inside}` };
    used = byNamespace;
    return { available: true, reason: 'mounts in a user namespace; only `exec` and `launch` see the tree' };
  };
  return {
    probe,
    get userAttributes() {
      return used.userAttributes;
    },
    mount: (request) => used.mount(request),
    release: async (folder) => {
      await byNamespace.release(folder);
      await byRight.release(folder);
    },
    keep: (folder) => used.keep(folder),
    close: () => byRight.close(),
  };
}
