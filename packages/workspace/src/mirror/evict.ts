import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { evict, HIDDEN } from '../eviction.ts';
import { orMissing } from '../files/record.ts';
import { listLeases, usesMirror } from '../lease/lease.ts';
import { discard } from '../root.ts';
import type { Services } from '../services.ts';
import { evictableMirror, withMirrorLock } from './mirrors.ts';
import { mirrorFolder, recordPath } from './record.ts';

async function isMirrorHeld({ root }: Services, key: string): Promise<boolean> {
  const leases = await listLeases(root);
  const borrowed = await Promise.all(
    [root.templates, root.pool].map((folder) => readdir(join(folder, key)).catch(orMissing)),
  );
  return leases.some((lease) => usesMirror(lease, key)) || borrowed.some((names) => (names?.length ?? 0) > 0);
}

/**
 * Removes a mirror that nobody borrows from. Its record alone is hidden, so that the objects stay where borrowers look
 * for them while these are counted.
 */
export function evictMirror(services: Services, key: string): Promise<boolean> {
  const { root } = services;
  return evict(services, evictableMirror(root, key), {
    isHeld: () => isMirrorHeld(services, key),
    remove: () => discard(root, mirrorFolder(root, key)),
  });
}

/** Puts back the records of mirrors that evictors which died had hidden. */
export async function restoreHiddenMirrors(services: Services): Promise<void> {
  const { root } = services;
  for (const key of await readdir(root.mirrors)) {
    const hidden = await stat(`${recordPath(root, key)}${HIDDEN}`).catch(orMissing);
    if (hidden === undefined) continue;
    try {
      // Who takes the lock puts the record back.
      await withMirrorLock(services, key, () => Promise.resolve());
    } catch (error) {
      services.log.warn({ mirror: key, err: error }, 'A mirror that an eviction had hidden could not be put back yet');
    }
  }
}
