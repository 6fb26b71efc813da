import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptRepoError, RefusedByPolicyError } from '../errors.ts';
import { checkFolder } from '../files/beneath.ts';
import { quoted } from '../git/git-dir.ts';
import type { Borrowed } from '../lease/lease.ts';
import { heal, type Supply, supply, type Want } from '../mirror/mirrors.ts';
import { readMirror } from '../mirror/record.ts';
import { discard } from '../root.ts';
import type { Services } from '../services.ts';
import { buildTree } from '../template/tree.ts';
import type { Identity } from '../workspace.ts';
import { listSubmodules, type Submodule, type SubmodulePolicy } from './listed.ts';

/** Submodules of one checkout at most, nested ones included. */
const MAX_SUBMODULES = 200;

/** What filling submodules needs to know. */
export interface SubmoduleRequest {
  readonly policy: SubmodulePolicy;
  /** Levels of nesting; 1 is those of the repository itself. */
  readonly depth: number;
  readonly sparse: readonly string[];
  readonly identity: Identity;
  readonly signal?: AbortSignal | undefined;
  /** Books a mirror before it is looked for, so that nobody evicts it meanwhile. */
  readonly await: (mirrorKey: string) => Promise<void>;
  /** Books and pins what is borrowed, before it is used. */
  readonly borrow: (borrowed: Borrowed) => Promise<void>;
}

function inCone(path: string, sparse: readonly string[]): boolean {
  return (
    sparse.length === 0 || !path.includes('/') || sparse.some((directory) => `${path}/`.startsWith(`${directory}/`))
  );
}

/** Makes the folder of a submodule, never through a link. */
async function makePlace(tree: string, path: string): Promise<string> {
  const parts = path.split('/');
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const names = parts.slice(0, depth);
    await mkdir(join(tree, ...names)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await checkFolder(tree, names);
  }
  return join(tree, path);
}

async function writeFiles(services: Services, place: string, want: Want, request: SubmoduleRequest): Promise<Supply> {
  const supplied = await supply(services, want);
  const { address } = supplied;
  services.step('submodule:supplied');
  await request.borrow({ mirrorKey: address.key, generation: supplied.generation, commit: supplied.commit });
  const head = { origin: address.url, identity: request.identity };
  await buildTree(services, place, { supply: supplied, sparse: [] }, head, want.signal);
  return supplied;
}

/** A corrupt mirror of a submodule is replaced, as that of the repository itself is. */
async function fillOne(
  services: Services,
  tree: string,
  { address, commit, path, name }: Submodule,
  request: SubmoduleRequest,
): Promise<Supply> {
  const { signal } = request;
  const want: Want = { addresses: [address], ref: commit, maxAgeMs: 0, partial: false, signal };
  const place = await makePlace(tree, path);
  await request.await(address.key);
  const generation = (await readMirror(services.root, address.key))?.generation;
  const supplied = await writeFiles(services, place, want, request).catch(async (error: unknown) => {
    if (!(error instanceof CorruptRepoError) || generation === undefined) throw error;
    await discard(services.root, join(place, '.git'));
    await heal(services, want, generation);
    return await writeFiles(services, place, want, request);
  });
  await appendFile(
    join(tree, '.git', 'config'),
    `[submodule ${quoted(name)}]\n\tactive = true\n\turl = ${quoted(address.url)}\n`,
  );
  services.step('submodule:filled');
  return supplied;
}

/**
 * Writes the submodules of a tree: each from a mirror of its own, as a repository in its place.
 *
 * @param tree where files are written; its `.git/config` exists
 */
export async function fillSubmodules(
  services: Services,
  tree: string,
  supplied: Supply,
  request: SubmoduleRequest,
): Promise<void> {
  const waiting = [{ tree, supplied, level: 1 }];
  let count = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const listed = await listSubmodules(services, next.supplied, request.policy, request.signal);
    for (const submodule of listed) {
      if (next.level === 1 && !inCone(submodule.path, request.sparse)) continue;
      count += 1;
      if (count > MAX_SUBMODULES)
        throw new RefusedByPolicyError(
          'submodule',
          `More than ${MAX_SUBMODULES} submodules; lower \`submodules.depth\``,
        );
      const own = await fillOne(services, next.tree, submodule, request);
      if (next.level < request.depth)
        waiting.push({ tree: join(next.tree, submodule.path), supplied: own, level: next.level + 1 });
    }
  }
}
