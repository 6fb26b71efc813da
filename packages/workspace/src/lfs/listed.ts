import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readRecord, writeRecord } from '../files/record.ts';
import { isFileInCone } from '../git/cone.ts';
import type { Supply } from '../mirror/mirrors.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';
import type { TreeSource } from '../template/tree.ts';
import { type LfsPointer, POINTER_BYTES, parsePointer } from './pointer.ts';
import { commitRecord } from './store.ts';

/** A file of a commit that stands for a large one. */
export interface LfsFile extends LfsPointer {
  /** Path in the tree, with `/`. */
  readonly path: string;
}

interface TreeFile {
  readonly path: string;
  readonly id: string;
}

/** Plain files of a commit in the cone. */
async function filesOf(services: Services, source: TreeSource, signal?: AbortSignal): Promise<readonly TreeFile[]> {
  const { gitDir, commit } = source.supply;
  const args = ['ls-tree', '-r', '-z', commit];
  const listed = await services.git.text({ what: 'Listing files', gitDir, args, signal });
  return listed.split('\0').flatMap((line) => {
    const tab = line.indexOf('\t');
    const [[mode = '', , id = ''], path] = [line.slice(0, tab).split(' '), line.slice(tab + 1)];
    return mode.startsWith('100') && isFileInCone(path, source.sparse) ? [{ path, id }] : [];
  });
}

/** Those that are small enough for a pointer. What a partial mirror does not have is outside of the cone. */
async function smallOnes(
  services: Services,
  { gitDir }: Supply,
  files: readonly TreeFile[],
  signal?: AbortSignal,
): Promise<readonly TreeFile[]> {
  const sizes = await services.git.text({
    what: 'Measuring files',
    gitDir,
    args: ['cat-file', '--batch-check=%(objectsize)'],
    input: files.map(({ id }) => `${id}\n`).join(''),
    signal,
  });
  const lines = sizes.split('\n');
  return files.filter((_, at) => /^\d+$/.test(lines[at] ?? '') && Number(lines[at]) < POINTER_BYTES);
}

/** Those that the commit's own attributes give to LFS. */
async function markedOnes(
  services: Services,
  supply: Supply,
  files: readonly TreeFile[],
  signal?: AbortSignal,
): Promise<readonly TreeFile[]> {
  const { root, owner, git } = services;
  const { gitDir, commit } = supply;
  const staged = stagingPath(root, owner.id);
  await mkdir(staged);
  try {
    // Attributes are looked up in an index, since git before 2.40 can not look into a commit.
    const index = join(staged, 'index');
    await git.run({ what: 'Reading a tree', gitDir, index, args: ['read-tree', commit], signal });
    const listed = await git.text({
      what: 'Reading attributes',
      gitDir,
      index,
      args: ['check-attr', '--cached', '-z', '--stdin', 'filter'],
      input: files.map(({ path }) => `${path}\0`).join(''),
      signal,
    });
    const fields = listed.split('\0');
    return files.filter((_, at) => fields[at * 3 + 2] === 'lfs');
  } finally {
    await discard(root, staged);
  }
}

async function pointersIn(
  services: Services,
  { gitDir }: Supply,
  files: readonly TreeFile[],
  signal?: AbortSignal,
): Promise<readonly LfsFile[]> {
  const input = files.map(({ id }) => `${id}\n`).join('');
  const args = ['cat-file', '--batch=%(objectsize)'];
  const { stdout } = await services.git.run({ what: 'Reading pointers', gitDir, args, input, signal });
  let at = 0;
  return files.flatMap(({ path }) => {
    const start = stdout.indexOf(10, at) + 1;
    const end = start + Number(stdout.toString('latin1', at, start - 1));
    at = end + 1;
    const pointer = parsePointer(stdout.subarray(start, end));
    return pointer === undefined || pointer.size === 0 ? [] : [{ path, ...pointer }];
  });
}

async function look(services: Services, source: TreeSource, signal?: AbortSignal): Promise<readonly LfsFile[]> {
  const { supply } = source;
  const files = await filesOf(services, source, signal);
  if (!files.some(({ path }) => path === '.gitattributes' || path.endsWith('/.gitattributes'))) return [];
  const small = await smallOnes(services, supply, files, signal);
  const marked = small.length === 0 ? [] : await markedOnes(services, supply, small, signal);
  return marked.length === 0 ? [] : await pointersIn(services, supply, marked, signal);
}

/**
 * The files of a commit, in its cone, that LFS keeps elsewhere. Remembered per commit, which never changes; not for a
 * partial mirror, which has the contents of the cone only.
 */
export async function listLfsFiles(
  services: Services,
  source: TreeSource,
  signal?: AbortSignal,
): Promise<readonly LfsFile[]> {
  const { supply, sparse } = source;
  if (supply.partial) return await look(services, source, signal);
  const path = commitRecord(services.root, supply.address.key, supply.commit);
  const known = await readRecord<readonly LfsFile[]>(path);
  const files = known ?? (await look(services, { ...source, sparse: [] }, signal));
  if (known === undefined) {
    await mkdir(join(path, '..'), { recursive: true });
    await writeRecord(path, files);
  }
  return files.filter((file) => isFileInCone(file.path, sparse));
}
