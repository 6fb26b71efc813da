import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace } from '@millrace/workspace';
import type { Mount } from '../executors/executor.ts';
import type { Scratch } from './scratch.ts';

/**
 * What an agent needs to see: its workspace and its own folders, to write; the mirror that its repository borrows
 * objects from, and its program, to read. Not the mirrors and workspaces of others.
 */
export async function mountsOf(
  workspace: Workspace,
  scratch: Pick<Scratch, 'home' | 'temporary'>,
  program: string | undefined,
): Promise<Mount[]> {
  const readOnly = [...(await borrowed(workspace)), ...(program === undefined ? [] : [program])];
  const writable = [workspace.path, scratch.home, scratch.temporary];
  return [
    ...readOnly.map((path) => ({ path, readOnly: true })),
    ...writable.map((path) => ({ path, readOnly: false })),
  ];
}

/** Read before the agent begins, so the file is the one that the workspace was made with. */
async function borrowed({ path }: Workspace): Promise<string[]> {
  const alternates = join(path, '.git', 'objects', 'info', 'alternates');
  const text = await readFile(alternates, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line.startsWith('/'));
}
