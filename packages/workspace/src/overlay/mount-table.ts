import { readFile } from 'node:fs/promises';

/** All mount points that this process sees, in the order of their mounting. */
export async function mountPoints(): Promise<readonly string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
}

/** Mount points at or below a folder, deepest first. */
export async function mountsBelow(folder: string): Promise<readonly string[]> {
  return pointsBelow(folder, await mountPoints());
}

/** Those of a list of mount points that are at or below a folder, deepest first. */
export function pointsBelow(folder: string, points: readonly string[]): readonly string[] {
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}
