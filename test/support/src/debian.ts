import { execFile } from 'node:child_process';
import { access, mkdir, readdir, rename } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder } from './cache.ts';

const run = promisify(execFile);

/** How to run a program on this machine. */
export interface Program {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where it came from, for messages. */
  readonly source: 'PATH' | 'Debian packages';
}

/**
 * Finds a program in the PATH, else fetches the Debian package that has it into the cache folder, without installing it.
 * @param packageName where it is not the program's own name
 * @throws Error when neither works, with what apt-get said.
 */
export async function programOf(name: string, packageName: string = name): Promise<Program> {
  const inPath = await findInPath(name);
  if (inPath) return { command: inPath, env: { PATH: process.env.PATH }, source: 'PATH' };
  const root = await fromDebian(packageName);
  for (const folder of ['bin', 'sbin', 'games']) {
    const command = join(root, 'usr', folder, name);
    if (await isThere(command)) return { command, env: await environmentOf(root), source: 'Debian packages' };
  }
  throw new Error(`The Debian package ${packageName} has no program ${name}.`);
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    if (folder !== '' && (await isThere(candidate))) return candidate;
  }
  return undefined;
}

/** Debian's own packages, unpacked below the cache: no service starts, nothing of the system changes, root or not. */
async function fromDebian(packageName: string): Promise<string> {
  return await cachedFolder(packageName.replace(/-server$/, ''), async (draft) => {
    const packages = join(draft, 'packages');
    await download(packages, packageName);
    const unpacked = join(draft, 'unpacked');
    await mkdir(unpacked);
    for (const file of await readdir(packages)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(packages, file), unpacked]);
    }
    await rename(join(unpacked, 'usr'), join(draft, 'usr'));
    await run('rm', ['-rf', packages, unpacked]);
  });
}

/** Some libraries lie in folders of their own, which only those who load them know. */
async function environmentOf(root: string): Promise<NodeJS.ProcessEnv> {
  const found = await readdir(join(root, 'usr', 'lib'), { withFileTypes: true, recursive: true }).catch(() => []);
  const folders = found
    .filter((entry) => entry.isFile() && entry.name.includes('.so'))
    .map((entry) => entry.parentPath);
  const paths = [...new Set(folders)];
  return { PATH: process.env.PATH, ...(paths.length > 0 && { LD_LIBRARY_PATH: paths.join(delimiter) }) };
}

/** Downloads a package with whatever of its libraries this machine lacks. */
async function download(packages: string, packageName: string): Promise<void> {
  await mkdir(join(packages, 'partial'), { recursive: true });
  const install = ['install', '--yes', '--download-only', '--no-install-recommends', packageName];
  try {
    await apt(packages, install);
  } catch {
    // A bare image has no package lists. They go to a folder of ours, so that this works without root as well.
    const lists = join(packages, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const ownLists = ['-o', `Dir::State::lists=${lists}`];
    await apt(packages, [...ownLists, 'update']);
    await apt(packages, [...ownLists, ...install]);
  }
}

async function apt(packages: string, args: readonly string[]): Promise<void> {
  const options = [
    ['-o', 'Debug::NoLocking=1'],
    ['-o', `Dir::Cache::archives=${packages}`],
    ['-o', `Dir::Cache::pkgcache=`],
    ['-o', `Dir::Cache::srcpkgcache=`],
    ['-o', 'APT::Sandbox::User='],
    ['-o', 'Acquire::Retries=3'],
  ].flat();
  await run('apt-get', ['--quiet', ...options, ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    timeout: 180_000,
  });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
