import { execFile } from 'node:child_process';
import { access, mkdir, readdir, rename } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder } from '../cache.ts';

const run = promisify(execFile);

/** How to run Redis on this machine. */
export interface RedisProgram {
  readonly command: string;
  readonly env: NodeJS.ProcessEnv;
  /** Where it came from, for messages. */
  readonly source: 'PATH' | 'Debian packages';
}

/** No Redis could be found or fetched; the message names the cures. */
export class RedisMissingError extends Error {
  readonly code = 'ERR_TEST_REDIS_MISSING' as const;
  override readonly name = 'RedisMissingError';
}

let program: Promise<RedisProgram> | undefined;

/**
 * Finds `redis-server` in the PATH, else fetches Debian's packages into the cache folder without installing them.
 * @throws RedisMissingError when neither works.
 */
export function redisProgram(): Promise<RedisProgram> {
  program ??= provision();
  return program;
}

async function provision(): Promise<RedisProgram> {
  const inPath = await findInPath('redis-server');
  if (inPath) return { command: inPath, env: { PATH: process.env.PATH }, source: 'PATH' };
  try {
    return await fromDebian();
  } catch (cause) {
    throw new RedisMissingError(
      'The tests need redis-server and it is not in the PATH, and it could not be fetched from Debian packages ' +
        `(${firstLine(cause)}). Do one of these: install it ("apt-get install redis-server", "brew install redis"); ` +
        'or start one ("docker run --rm -p 6379:6379 redis:7") and set REDIS_URL=redis://127.0.0.1:6379.',
      { cause },
    );
  }
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, name);
    if (folder !== '' && (await isThere(candidate))) return candidate;
  }
  return undefined;
}

/** Debian's own packages, unpacked below the cache: no service starts, nothing of the system changes, root or not. */
async function fromDebian(): Promise<RedisProgram> {
  const root = await cachedFolder('redis', async (draft) => {
    const packages = join(draft, 'packages');
    await download(packages);
    const unpacked = join(draft, 'unpacked');
    await mkdir(unpacked);
    for (const file of await readdir(packages)) {
      if (file.endsWith('.deb')) await run('dpkg', ['-x', join(packages, file), unpacked]);
    }
    await rename(join(unpacked, 'usr'), join(draft, 'usr'));
    await run('rm', ['-rf', packages, unpacked]);
  });
  const libraries = await readdir(join(root, 'usr', 'lib'));
  const paths = libraries.filter((name) => name.endsWith('-linux-gnu')).map((name) => join(root, 'usr', 'lib', name));
  return {
    command: join(root, 'usr', 'bin', 'redis-server'),
    env: { PATH: process.env.PATH, LD_LIBRARY_PATH: paths.join(delimiter) },
    source: 'Debian packages',
  };
}

/** Downloads redis-server with whatever of its libraries this machine lacks. */
async function download(packages: string): Promise<void> {
  await mkdir(join(packages, 'partial'), { recursive: true });
  const install = ['install', '--yes', '--download-only', '--no-install-recommends', 'redis-server'];
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

function firstLine(error: unknown): string {
  const text = (error as { stderr?: string }).stderr || (error as Error).message;
  return text.trim().split('\n')[0] ?? '';
}
