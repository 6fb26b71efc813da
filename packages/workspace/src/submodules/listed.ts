import { RefusedByPolicyError } from '../errors.ts';
import type { Supply } from '../mirror/mirrors.ts';
import { parseRepository, type RepositoryAddress } from '../repository.ts';
import type { Services } from '../services.ts';

/** A submodule of a commit, checked. */
export interface Submodule {
  readonly name: string;
  /** Path in the tree, with `/`. */
  readonly path: string;
  readonly commit: string;
  readonly address: RepositoryAddress;
}

/** Which submodules may be followed. */
export interface SubmodulePolicy {
  /** Hosts on top of the repository's own. */
  readonly hosts: readonly string[];
}

function refuse(path: string, why: string): never {
  throw new RefusedByPolicyError('submodule', `Submodule ${JSON.stringify(path.slice(0, 100))} ${why}`);
}

/** A path or a name that can only mean a place in the tree: CVE-2018-11235 and CVE-2025-48384 came by others. */
function checkPlace(place: string): void {
  const parts = place.split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must be refused.
  if (/[\u0000-\u001f\u007f\\]/.test(place) || place.startsWith('-')) refuse(place, 'holds control characters');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || /^\.git$|^git~\d/i.test(part)))
    refuse(place, 'leads out of its place');
}

/** An address as `.gitmodules` gives it: relative ones start at the repository's own. */
function resolveAddress(url: string, parent: RepositoryAddress): string {
  if (!/^\.{1,2}\//.test(url)) return url;
  if (parent.protocol === 'file') return new URL(url, `file://${parent.url}/`).pathname;
  return new URL(url, `${parent.url.replace(/\/+$/, '')}/`).href;
}

function hostOf({ protocol, url }: RepositoryAddress): string {
  return protocol === 'file' ? '' : new URL(url).host;
}

function checkAddress(
  services: Services,
  path: string,
  url: string,
  parent: RepositoryAddress,
  policy: SubmodulePolicy,
): RepositoryAddress {
  const address = parseRepository(resolveAddress(url, parent), services.protocols);
  const host = hostOf(address);
  if (host !== hostOf(parent) && !policy.hosts.includes(host))
    refuse(path, `is at another host (${host || 'this machine'}); allow it by \`submodules.hosts\``);
  return address;
}

async function readGitmodules(services: Services, supply: Supply, signal?: AbortSignal): Promise<Map<string, string>> {
  const { stdout } = await services.git.run({
    what: 'Reading .gitmodules',
    gitDir: supply.gitDir,
    args: ['config', '--blob', `${supply.commit}:.gitmodules`, '--null', '--get-regexp', '^submodule\\.'],
    ok: [0, 1, 128],
    signal,
  });
  const pairs = stdout
    .toString('utf8')
    .split('\0')
    .filter((line) => line !== '');
  return new Map(pairs.map((line) => [line.slice(0, line.indexOf('\n')), line.slice(line.indexOf('\n') + 1)]));
}

async function gitlinks(
  services: Services,
  supply: Supply,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const args = ['ls-tree', '-r', '-z', supply.commit];
  const listed = await services.git.text({ what: 'Listing submodules', gitDir: supply.gitDir, args, signal });
  const links = listed.split('\0').filter((line) => line.startsWith('160000 '));
  return new Map(
    links.map((line) => [
      line.slice(line.indexOf('\t') + 1),
      line.slice(0, line.indexOf('\t')).split(' ')[2] as string,
    ]),
  );
}

/**
 * The submodules of a commit; those without an entry in `.gitmodules` stay empty folders, as with git.
 *
 * @throws {RefusedByPolicyError} when a name, a path or an address is not one to follow
 */
export async function listSubmodules(
  services: Services,
  supply: Supply,
  policy: SubmodulePolicy,
  signal?: AbortSignal,
): Promise<readonly Submodule[]> {
  const settings = await readGitmodules(services, supply, signal);
  if (settings.size === 0) return [];
  const links = await gitlinks(services, supply, signal);
  const found: Submodule[] = [];
  for (const [key, path] of settings) {
    const name = /^submodule\.(.+)\.path$/s.exec(key)?.[1];
    const url = name === undefined ? undefined : settings.get(`submodule.${name}.url`);
    const commit = links.get(path);
    if (name === undefined || url === undefined || commit === undefined) continue;
    checkPlace(name);
    checkPlace(path);
    found.push({ name, path, commit, address: checkAddress(services, path, url, supply.address, policy) });
  }
  return found;
}
