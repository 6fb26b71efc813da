import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fixture } from './support/fixture.ts';

const packsOf = (path: string): readonly string[] => {
  const folder = join(path, '.git/objects/pack');
  return existsSync(folder) ? readdirSync(folder) : [];
};

test.each([
  { files: 2, packs: 0 },
  { files: 200, packs: 2 },
])('the agent can go on from a commit of the host, which has $files files', async ({ files, packs }) => {
  await using it = fixture();
  await using workspace = await it.manager().checkout({ repo: it.origin, branch: 'agent/1' });
  for (let index = 0; index < files; index += 1) writeFileSync(join(workspace.path, `${index}.txt`), `${index}\n`);
  const commit = await workspace.commitAll('Add files');
  expect(packsOf(workspace.path)).toHaveLength(packs);
  const inside = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await workspace.exec('git', args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout.trim();
  };
  await inside('fsck', '--strict', '--no-dangling', '--no-progress');
  expect(await inside('rev-parse', 'agent/1')).toBe(commit?.sha);
  expect(await inside('status', '--porcelain')).toBe('');
  await inside('-c', 'user.name=A', '-c', 'user.email=a@example.org', 'commit', '-q', '--allow-empty', '-m', 'on top');
  expect(await workspace.status()).toMatchObject({ clean: true, head: await inside('rev-parse', 'HEAD') });
});

test('a diff up to a commit leaves out what came after it', async () => {
  await using it = fixture();
  await using workspace = await it.manager().checkout({ repo: it.origin });
  writeFileSync(join(workspace.path, 'new.txt'), 'new\n');
  const commit = await workspace.commitAll('Add a file');
  const patch = await workspace.diff();
  writeFileSync(join(workspace.path, 'later.txt'), 'later\n');
  expect(await workspace.diff()).toContain('later.txt');
  expect(await workspace.diff({ to: commit?.sha ?? '' })).toBe(patch);
  await expect(workspace.diff({ to: '--output=/tmp/x' })).rejects.toMatchObject({ option: 'to' });
  await expect(workspace.diff({ to: '0'.repeat(40) })).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) });
});

test('a commit of the host right on the base obeys the rules as any other', async () => {
  await using it = fixture();
  const manager = it.manager({ rules: { maxFileBytes: 10, forbiddenPaths: ['.ci/'] } });
  await using workspace = await manager.checkout({ repo: it.origin });
  writeFileSync(join(workspace.path, 'large.txt'), 'more than ten bytes\n');
  await expect(workspace.commitAll('Large')).rejects.toMatchObject({ rule: 'file-size' });
  await workspace.exec('sh', ['-c', 'rm large.txt; mkdir .ci; echo x > .ci/run']);
  await expect(workspace.commitAll('Forbidden')).rejects.toMatchObject({ rule: 'forbidden-path' });
});

test('a file that is larger in the repository than in the working tree is measured there', async () => {
  await using it = fixture();
  await using workspace = await it.manager({ rules: { maxFileBytes: 300 } }).checkout({ repo: it.origin });
  // Filtered on its way into the repository, the file is larger there than the one that was measured.
  writeFileSync(join(workspace.path, '.gitattributes'), 'f.txt working-tree-encoding=UTF-16LE\n');
  writeFileSync(join(workspace.path, 'f.txt'), Buffer.from('\u65e5'.repeat(140), 'utf16le'));
  await expect(workspace.commitAll('Grows')).rejects.toMatchObject({ rule: 'file-size' });
});

test('after a final commit the workspace is not told of it, and its own commits count no more', async () => {
  await using it = fixture();
  await using workspace = await it.manager().checkout({ repo: it.origin, branch: 'agent/1' });
  writeFileSync(join(workspace.path, 'new.txt'), 'new\n');
  const commit = await workspace.commitAll({ message: 'Last', final: true });
  const inside = async (...args: string[]): Promise<string> =>
    (await workspace.exec('git', ['-c', 'user.name=A', '-c', 'user.email=a@example.org', ...args])).stdout.trim();
  expect(await inside('rev-parse', 'HEAD')).toBe(workspace.base);
  await inside('commit', '-q', '--allow-empty', '-m', 'too late');
  expect(await inside('rev-parse', 'HEAD')).not.toBe(workspace.base);
  expect(await workspace.status()).toMatchObject({ head: commit?.sha, clean: true });
  expect(await workspace.push()).toMatchObject({ status: 'pushed', sha: commit?.sha });
});
