import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { orMissing } from '../files/record.ts';
import { filterSettings } from '../lfs/filter.ts';
import type { Identity } from '../workspace.ts';
import { settingsFile } from './environment.ts';

/** A `.git` made by hand: a handful of small files, no process. */
export interface GitDirSpec {
  /** Repository whose objects are borrowed. */
  readonly borrowFrom: string;
  /** Hash of its ids. */
  readonly format: 'sha1' | 'sha256';
  /** Commit to stand at. */
  readonly commit: string;
  /** Branch to be on; undefined for detached. */
  readonly branch?: string | undefined;
  /** Address for `origin`. */
  readonly origin?: string;
  /** Name at the remote of the ref it came from. */
  readonly upstream?: string | undefined;
  /** Author of commits. */
  readonly identity?: Identity;
  /** Directories of the sparse cone; empty for the whole tree. */
  readonly sparse: readonly string[];
  /** Write links as links. */
  readonly symlinks: boolean;
  /** Filters for large files are wanted. @default false */
  readonly lfs?: boolean;
  /** With the empty folders that git would make itself when it needs them. @default true */
  readonly whole?: boolean;
}

/** A value as git's configuration files quote it. */
export function quoted(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replace(/\n/g, '\\n')}"`;
}

/** The configuration of a repository of ours. */
export function configText(spec: Omit<GitDirSpec, 'borrowFrom' | 'commit'>): string {
  const lines = [
    '[core]',
    `\trepositoryformatversion = ${spec.format === 'sha256' ? 1 : 0}`,
    '\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true',
    `\tsymlinks = ${spec.symlinks}`,
    ...(spec.sparse.length > 0 ? ['\tsparseCheckout = true\n\tsparseCheckoutCone = true'] : []),
    ...(spec.format === 'sha256' ? ['[extensions]\n\tobjectFormat = sha256'] : []),
    // A collection that detaches outlives its agent; and a pack of borrowed objects would copy them all.
    '[gc]\n\tautoDetach = false',
    ...(spec.origin === undefined
      ? []
      : [`[remote "origin"]\n\turl = ${quoted(spec.origin)}\n\tfetch = +refs/heads/*:refs/remotes/origin/*`]),
    ...(spec.identity === undefined
      ? []
      : [`[user]\n\tname = ${quoted(spec.identity.name)}\n\temail = ${quoted(spec.identity.email)}`]),
    ...(spec.lfs === true ? [settingsFile(filterSettings).trimEnd()] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** The patterns of a cone: files at the root, files of each parent, everything below each directory. */
export function conePatterns(sparse: readonly string[]): string {
  const parents = new Set<string>();
  for (const directory of sparse) {
    for (let parent = dirname(directory); parent !== '.'; parent = dirname(parent)) parents.add(parent);
  }
  const lines = ['/*', '!/*/'];
  for (const parent of [...parents].sort()) {
    if (!sparse.some((directory) => parent === directory || parent.startsWith(`${directory}/`))) {
      lines.push(`/${parent}/`, `!/${parent}/*/`);
    }
  }
  return `${[...lines, ...sparse.map((directory) => `/${directory}/`)].join('\n')}\n`;
}

/** Writes a file below a git directory. */
export async function writeAt(gitDir: string, name: string, text: string): Promise<void> {
  const path = join(gitDir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** Writes HEAD, the branch, the remote's ref and the configuration: what makes one checkout different from another. */
export async function writeHead(gitDir: string, spec: GitDirSpec): Promise<void> {
  const { branch, commit, upstream } = spec;
  await writeAt(gitDir, 'HEAD', branch === undefined ? `${commit}\n` : `ref: refs/heads/${branch}\n`);
  await writeAt(gitDir, 'config', configText(spec));
  if (branch !== undefined) await writeAt(gitDir, `refs/heads/${branch}`, `${commit}\n`);
  if (upstream?.startsWith('refs/heads/')) {
    // Packed, it is one file; loose, it is three with its folders, and a folder is the dearest thing to make and remove.
    const name = `refs/remotes/origin/${upstream.slice('refs/heads/'.length)}`;
    await writeAt(gitDir, 'packed-refs', `# pack-refs with: peeled fully-peeled sorted \n${commit} ${name}\n`);
  }
}

/** A mirror of a shallow upstream is shallow, and so are those that borrow from it. */
function copyShallow(from: string, to: string): void {
  try {
    copyFileSync(join(from, 'shallow'), join(to, 'shallow'));
  } catch (error) {
    orMissing(error);
  }
}

/** Without these it is no git directory, or borrows nothing. */
const neededFolders = ['objects/info', 'refs'];
const usualFolders = [...neededFolders, 'objects/pack', 'refs/heads', 'refs/tags', 'info'];

/** Makes a git directory that borrows the objects of another repository. */
export async function makeGitDir(gitDir: string, spec: GitDirSpec): Promise<void> {
  for (const folder of (spec.whole ?? true) ? usualFolders : neededFolders) {
    mkdirSync(join(gitDir, folder), { recursive: true });
  }
  writeFileSync(join(gitDir, 'objects/info/alternates'), `${join(spec.borrowFrom, 'objects')}\n`);
  if (spec.sparse.length > 0) await writeAt(gitDir, 'info/sparse-checkout', conePatterns(spec.sparse));
  copyShallow(spec.borrowFrom, gitDir);
  await writeHead(gitDir, spec);
}
