import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@localhost'];

export async function git(directory: string, ...args: string[]): Promise<string> {
  return (await run('git', ['-C', directory, ...args])).stdout.trim();
}

/** A bare repository with one commit of two files on `main`. */
export async function makeOrigin(folder: string, name = 'origin'): Promise<string> {
  const work = join(folder, `${name}-work`);
  const bare = join(folder, `${name}.git`);
  await mkdir(join(work, 'src'), { recursive: true });
  await git(work, 'init', '--quiet', '--initial-branch=main');
  await writeFile(join(work, 'README.md'), '# Origin\n');
  await writeFile(join(work, 'src', 'index.js'), 'export const one = 1;\n');
  await git(work, 'add', '.');
  await git(work, ...identity, 'commit', '--quiet', '-m', 'Begin');
  await run('git', ['clone', '--quiet', '--bare', work, bare]);
  return bare;
}

/** The branches that runs pushed to a repository, and their commits. */
export async function runBranches(origin: string): Promise<Map<string, string>> {
  const lines = await git(origin, 'for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/heads/millrace');
  return new Map(
    lines
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ') as [string, string]),
  );
}
