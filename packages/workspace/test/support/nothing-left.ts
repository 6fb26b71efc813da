import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';

/** Fails when a checkout left anything behind: a lease, a folder, a thing in the making, a mount or a pin. */
export function expectNothingLeft(root: string, options: { readonly mirrors?: boolean } = {}): void {
  const left = Object.fromEntries(
    ['leases', 'workspaces', 'staging', 'trash'].map((folder) => [folder, readdirSync(join(root, folder))]),
  );
  expect(left).toEqual({ leases: [], workspaces: [], staging: [], trash: [] });
  if (process.platform === 'linux') expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(root);
  const names = readdirSync(join(root, 'mirrors'), { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => /refs\/millrace\/pins\/.|\.lock$/.test(name))).toEqual([]);
  if (options.mirrors === false) expect(names).toEqual([]);
}
