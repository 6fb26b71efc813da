import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkspaceError } from '../errors.ts';
import { orMissing } from '../files/record.ts';
import { discard, stagingPath } from '../root.ts';
import type { Services } from '../services.ts';

/** What git can and does here. */
export interface GitProbe {
  /** Such as `2.39.5`. */
  readonly version: string;
  /** Names of the known weaknesses that this git shows. */
  readonly unsafe: readonly string[];
}

type Weakness = (services: Services, folder: string) => Promise<boolean>;

async function fails(services: Services, args: readonly string[], input: string, gitDir: string): Promise<boolean> {
  try {
    await services.git.run({ what: 'Probing git', gitDir, args, input });
    return false;
  } catch (error) {
    if (error instanceof WorkspaceError) return true;
    throw error;
  }
}

/**
 * Behaviour instead of version numbers, because distributions carry fixes back: Debian's 2.39.5 has those of 2.50.1.
 * Each probe builds what the attack needs and looks whether git takes it.
 */
const weaknesses: Readonly<Record<string, Weakness>> = {
  /** CVE-2025-48384: a value that ends in a carriage return must be written quoted, or it is read back without it. */
  'CVE-2025-48384': async ({ git }, folder) => {
    const file = join(folder, 'carriage-return');
    await git.run({ what: 'Probing git', args: ['config', '--file', file, 'submodule.x.path', 'sub\r'] });
    return (
      (
        await git.run({ what: 'Probing git', args: ['config', '--file', file, 'submodule.x.path'] })
      ).stdout.toString() !== 'sub\r\n'
    );
  },
  /** CVE-2014-9390 and CVE-2019-1353: names that other file systems take for `.git` must not enter an index. */
  'CVE-2014-9390': async (services, folder) => {
    const gitDir = await emptyRepository(services, folder);
    const blob = await services.git.text({
      what: 'Probing git',
      gitDir,
      args: ['hash-object', '-w', '--stdin'],
      input: 'x',
    });
    const names = ['.GIT/config', 'git~1/config', '.g\u200cit/config'];
    const taken = await Promise.all(
      names.map((name) =>
        fails(services, ['update-index', '--add', '--cacheinfo', `100644,${blob},${name}`], '', gitDir),
      ),
    );
    return taken.includes(false);
  },
  /** CVE-2022-24765 and later: settings in a bare repository inside a working tree must not be used unasked. */
  'core.hooksPath': async (services, folder) => {
    const gitDir = await emptyRepository(services, folder);
    const mark = join(folder, 'hook-ran');
    const hook = join(gitDir, 'hooks', 'post-index-change');
    await mkdir(join(gitDir, 'hooks'), { recursive: true });
    await writeFile(hook, `#!/bin/sh\n: > '${mark}'\n`, { mode: 0o755 });
    await services.git.run({ what: 'Probing git', gitDir, args: ['read-tree', '--empty'] });
    return (await stat(mark).catch(orMissing)) !== undefined;
  },
};

async function emptyRepository(services: Services, folder: string): Promise<string> {
  const gitDir = join(folder, 'probe.git');
  await services.git.run({ what: 'Probing git', args: ['init', '--bare', '--quiet', '--template=', '--', gitDir] });
  return gitDir;
}

/** Looks what git is here. */
export async function probeGit(services: Services): Promise<GitProbe> {
  const words = await services.git.text({ what: 'Asking git for its version', args: ['version'] });
  const folder = stagingPath(services.root, services.owner.id);
  await mkdir(folder);
  try {
    const unsafe: string[] = [];
    for (const [name, shows] of Object.entries(weaknesses)) {
      if (await shows(services, folder)) unsafe.push(name);
    }
    return { version: /\d+(\.\d+)+/.exec(words)?.[0] ?? words, unsafe };
  } finally {
    await discard(services.root, folder);
  }
}
