import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { programOf } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { managerOf, setup, sh } from './support/lfs-setup.ts';

/** The real one, from the machine or from Debian's packages; undefined where there is neither. */
const real = await programOf('git-lfs').catch(() => undefined);

// Skipped where git-lfs can not be had: it is no dependency.
test.skipIf(real === undefined)(
  'git-lfs itself takes a workspace for one of its own, and the other way round',
  async () => {
    await using all = await setup();
    const { lfs, repo, content, it } = all;
    const env = { PATH: `${dirname(real?.command ?? '')}:${process.env.PATH}` };
    await using workspace = await managerOf(all, 'clone').checkout({ repo, branch: 'agent/1', lfs: true });
    const run = async (...args: string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await workspace.exec('git', args, { env });
      expect(exitCode, stderr).toBe(0);
      return stdout;
    };
    await run('lfs', 'install', '--local', '--force');
    expect(await run('lfs', 'ls-files', '--name-only')).toContain('assets/big.bin\nbig.bin\n');
    expect(await run('lfs', 'status', '--porcelain')).toBe('');
    expect(await run('status', '--porcelain')).toBe('');
    // It finds the shared objects beside the borrowed ones: no request.
    const calls = lfs.calls.length;
    await sh(workspace, 'rm big.bin');
    await run('checkout', '--quiet', '--', 'big.bin');
    expect(readFileSync(join(workspace.path, 'big.bin')).equals(content)).toBe(true);
    expect(lfs.calls).toHaveLength(calls);
    // A commit by its filter is taken over and sent by the host.
    const made = randomBytes(4000);
    writeFileSync(join(workspace.path, 'made.bin'), made);
    await run('add', '--all');
    await run('commit', '--quiet', '--no-verify', '-m', 'Made with git-lfs');
    expect((await workspace.push()).status).toBe('pushed');
    // Somebody else's git-lfs gets everything from the server.
    const elsewhere = join(it.folder, 'elsewhere');
    // Not synchronous: the server lives in this process.
    const outside = (cwd: string, ...args: string[]): Promise<unknown> =>
      promisify(execFile)('git', args, { cwd, env: { ...env, HOME: it.folder } });
    const skip = ['-c', 'filter.lfs.smudge=', '-c', 'filter.lfs.process='];
    await outside(it.folder, ...skip, 'clone', '--quiet', '--branch=agent/1', repo, elsewhere);
    await outside(elsewhere, 'lfs', 'install', '--local');
    await outside(elsewhere, 'lfs', 'pull');
    expect(readFileSync(join(elsewhere, 'made.bin')).equals(made)).toBe(true);
    expect(readFileSync(join(elsewhere, 'big.bin')).equals(content)).toBe(true);
    await outside(elsewhere, 'lfs', 'fsck');
  },
);
