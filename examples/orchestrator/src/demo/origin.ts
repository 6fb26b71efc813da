import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The demo cannot use what it was given; the message says why. */
export class DemoError extends Error {
  override readonly name = 'DemoError' as const;
  readonly code = 'ERR_DEMO' as const;
}

/**
 * Makes a bare repository of the demo's own out of any repository, URL or bundle, so that the run pushes there and the
 * original is only read. A second demo on the same source brings it up to date.
 */
export async function makeOrigin(source: string, folder: string): Promise<string> {
  const isAddress = /^[a-z]+:\/\//.test(source) || /^[\w.-]+@[\w.-]+:/.test(source);
  const address = isAddress ? source : resolve(source);
  if (!isAddress && !(await stat(address).catch(() => undefined))) {
    throw new DemoError(`There is nothing at ${address}; give --repo a path, a URL or a bundle.`);
  }
  const name = basename(address).replace(/\.(git|bundle)$/, '') || 'repository';
  const digest = createHash('sha256').update(address).digest('hex').slice(0, 8);
  const origin = join(folder, `${name}-${digest}.git`);
  await mkdir(folder, { recursive: true });
  if (await stat(origin).catch(() => undefined)) {
    await git('-C', origin, 'fetch', '--quiet', address, '+refs/heads/*:refs/heads/*');
    return origin;
  }
  await cloneBare(address, origin);
  return origin;
}

/** Cloned aside and renamed: an interrupted demo leaves no half a repository under the name. */
async function cloneBare(address: string, origin: string): Promise<void> {
  const aside = `${origin}.${process.pid}`;
  try {
    await git('clone', '--quiet', '--bare', '--no-hardlinks', address, aside);
    await rename(aside, origin);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function git(...args: string[]): Promise<string> {
  try {
    return (await run('git', ['-c', 'safe.directory=*', ...args])).stdout.trim();
  } catch (cause) {
    const { stderr = '' } = cause as { stderr?: string };
    throw new DemoError(`git ${args.find((arg) => !arg.startsWith('-'))} failed: ${stderr.trim()}`, { cause });
  }
}

/** The branch or commit that a bare repository has checked out; a bundle can lack a HEAD, then its first branch. */
export async function headOf(origin: string): Promise<string> {
  const branches = (await git('-C', origin, 'for-each-ref', '--format=%(refname:short)', 'refs/heads')).split('\n');
  const head = await git('-C', origin, 'symbolic-ref', '--short', 'HEAD').catch(() => '');
  const found = branches.includes(head) ? head : branches.find((branch) => branch && !branch.startsWith('millrace/'));
  if (found) return found;
  throw new DemoError(`${origin} has no branch to begin from.`);
}
