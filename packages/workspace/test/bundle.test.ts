import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixture, git } from './support/fixture.ts';

test.each([
  { format: 'sha1', version: '# v2 git bundle' },
  { format: 'sha256', version: '# v3 git bundle' },
])('a bundle that git reads, with ids by $format', async ({ format, version }) => {
  await using it = fixture();
  const origin = join(it.folder, 'formatted.git');
  const author = join(it.folder, 'formatted');
  git(it.folder, 'init', '--quiet', '--bare', '--initial-branch=main', `--object-format=${format}`, origin);
  git(it.folder, 'init', '--quiet', '--initial-branch=main', `--object-format=${format}`, author);
  writeFileSync(join(author, 'readme.md'), 'hello\n');
  git(author, 'add', '--all');
  git(author, 'commit', '--quiet', '-m', 'first');
  git(author, 'push', '--quiet', origin, 'HEAD:refs/heads/main');
  await using workspace = await it.manager().checkout({ repo: origin, branch: 'agent/1' });
  writeFileSync(join(workspace.path, 'new.txt'), 'new\n');
  const commit = await workspace.commitAll('Add a file');
  const path = join(it.folder, 'out.bundle');
  expect(await workspace.bundle({ path })).toEqual(commit);
  expect(readFileSync(path, 'latin1').split('\n')[0]).toBe(version);
  git(author, 'bundle', 'verify', '--quiet', path);
  git(author, 'fetch', '--quiet', path, '+refs/*:refs/from-bundle/*');
  expect(git(author, 'for-each-ref', '--format=%(objectname) %(refname)', 'refs/from-bundle')).toBe(
    `${commit?.sha} refs/from-bundle/millrace/bundle/agent/1`,
  );
  expect(git(author, 'show', `${commit?.sha}:new.txt`)).toBe('new');
  git(author, 'fsck', '--strict');
});

test('a bundle never writes over a file, nor without a commit', async () => {
  await using it = fixture();
  await using workspace = await it.manager().checkout({ repo: it.origin });
  const path = join(it.folder, 'mine.txt');
  await expect(workspace.bundle({ path })).rejects.toMatchObject({ option: 'bundle' });
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, 'mine');
  writeFileSync(join(workspace.path, 'new.txt'), 'new\n');
  await workspace.commitAll('Add a file');
  await expect(workspace.bundle({ path })).rejects.toMatchObject({ option: 'path' });
  expect(readFileSync(path, 'utf8')).toBe('mine');
});
