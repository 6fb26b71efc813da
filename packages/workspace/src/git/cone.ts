import { dirname } from 'node:path';

/** True for a file that a cone of directories (none: the whole tree) has in the working tree. */
export function isFileInCone(path: string, sparse: readonly string[]): boolean {
  const parent = dirname(path);
  return (
    sparse.length === 0 ||
    parent === '.' ||
    sparse.some((directory) => path.startsWith(`${directory}/`) || directory.startsWith(`${parent}/`))
  );
}
