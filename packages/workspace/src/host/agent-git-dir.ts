import { RefusedByPolicyError } from '../errors.ts';
import { listBeneath, readBeneath } from '../files/beneath.ts';
import { isCommitId } from '../repository.ts';

/** Bytes of a ref file or of all packed refs. */
const REF_BYTES = 512;
const PACKED_REFS_BYTES = 32 * 1024 * 1024;

/** A folder that an agent writes, as a root of ours and the names that lead from it. */
export interface AgentFolder {
  readonly root: string;
  readonly names: readonly string[];
}

/** The git directory of an agent, which the host reads as data only. */
export interface AgentGitDir {
  /** Has HEAD and the index. */
  readonly own: AgentFolder;
  /** Has refs and objects: the same folder, but for a worktree. */
  readonly common: AgentFolder;
  /** Object store that is so large, and so trusted, that it is borrowed from instead of being copied. */
  readonly shared?: string;
}

/** The `.git` of a tree. */
export function gitDirIn(tree: string): AgentGitDir {
  const folder = { root: tree, names: ['.git'] };
  return { own: folder, common: folder };
}

/** Where an agent's repository stands. */
export interface AgentHead {
  /** Full name of the branch; undefined when detached. */
  readonly ref: string | undefined;
  /** Commit; undefined when the branch has none. */
  readonly commit: string | undefined;
}

async function readRef({ root, names }: AgentFolder, name: string): Promise<string | undefined> {
  const loose = await readBeneath(root, [...names, ...name.split('/')], REF_BYTES);
  const commit = loose?.toString('utf8').trim();
  if (commit !== undefined && isCommitId(commit)) return commit;
  const packed = await readBeneath(root, [...names, 'packed-refs'], PACKED_REFS_BYTES);
  const line = packed
    ?.toString('utf8')
    .split('\n')
    .find((text) => text.endsWith(` ${name}`));
  const id = line?.split(' ')[0];
  return id !== undefined && isCommitId(id) ? id : undefined;
}

/** Reads where the agent's HEAD is: plain files read as data, no git. Undefined when the agent removed its `.git`. */
export async function readAgentHead({ own, common }: AgentGitDir): Promise<AgentHead | undefined> {
  const head = (await readBeneath(own.root, [...own.names, 'HEAD'], REF_BYTES))?.toString('utf8').trim();
  if (head === undefined) return undefined;
  if (isCommitId(head)) return { ref: undefined, commit: head };
  const ref = /^ref: (refs\/heads\/[^\s~^:?*[\\]+)$/.exec(head)?.[1];
  if (ref === undefined || ref.split('/').some((part) => part === '..' || part === '.' || part === '')) {
    throw new RefusedByPolicyError('git-dir', 'The HEAD of the workspace names no branch and no commit');
  }
  return { ref, commit: await readRef(common, ref) };
}

/** An object file of the agent: loose, or a pack. */
export interface ObjectFile {
  readonly kind: 'loose' | 'pack';
  readonly names: readonly string[];
}

/** Lists the object files in the agent's own store; what it borrows is not looked at, wherever its alternates point. */
export async function listObjectFiles({ root, names: start }: AgentFolder): Promise<readonly ObjectFile[]> {
  const files: ObjectFile[] = [];
  for (const folder of await listBeneath(root, [...start, 'objects'])) {
    const names = [...start, 'objects', folder];
    if (/^[0-9a-f]{2}$/.test(folder)) {
      const loose = (await listBeneath(root, names)).filter((name) => /^([0-9a-f]{38}|[0-9a-f]{62})$/.test(name));
      files.push(...loose.map((name) => ({ kind: 'loose' as const, names: [...names, name] })));
    } else if (folder === 'pack') {
      const packs = (await listBeneath(root, names)).filter((name) => /^pack-[0-9a-f]+\.pack$/.test(name));
      files.push(...packs.map((name) => ({ kind: 'pack' as const, names: [...names, name] })));
    }
  }
  return files;
}
