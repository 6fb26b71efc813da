import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
    const options = { env: { ...env, HOME: it.folder }, encoding: 'utf8' } as const;
    execFileSync('git', ['-c', 'filter.lfs.smudge=', 'clone', '--quiet', '--branch=agent/1', repo, elsewhere], options);
    execFileSync('git', ['lfs', 'pull'], { ...options, cwd: elsewhere });
    expect(readFileSync(join(elsewhere, 'made.bin')).equals(made)).toBe(true);
    expect(readFileSync(join(elsewhere, 'big.bin')).equals(content)).toBe(true);
    execFileSync('git', ['lfs', 'fsck'], { ...options, cwd: elsewhere });
  },
);
