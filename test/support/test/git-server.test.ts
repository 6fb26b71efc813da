import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { git, startGitServer, temporaryDirectory, testRepos } from '@millrace/test-support';
import { expect, test } from 'vitest';

test('clones and pushes over smart HTTP, protocol version 2', async () => {
  await using server = await startGitServer();
  await using folder = await temporaryDirectory();
  const url = await server.createRepo('origin.git', (await testRepos()).got);
  const clone = join(folder.path, 'clone');
  await git(['clone', '--quiet', '--depth=1', url, clone]);
  await writeFile(join(clone, 'new.txt'), 'new\n');
  await git(['add', 'new.txt'], clone);
  await git(['commit', '--quiet', '-m', 'Add a file'], clone);
  await git(['push', '--quiet', 'origin', 'HEAD:refs/heads/topic'], clone);

  const pushed = await git(['rev-parse', 'refs/heads/topic'], join(server.root, 'origin.git'));
  expect(pushed).toBe(await git(['rev-parse', 'HEAD'], clone));
  expect(await readFile(join(clone, 'new.txt'), 'utf8')).toBe('new\n');
  expect(server.requests.some(({ protocol, status }) => protocol === 'version=2' && status === 200)).toBe(true);
});

test('leaves objects out of a partial clone', async () => {
  await using server = await startGitServer();
  await using folder = await temporaryDirectory();
  const url = await server.createRepo('origin.git', (await testRepos()).got);
  const clone = join(folder.path, 'clone.git');
  await git(['clone', '--quiet', '--bare', '--filter=blob:none', url, clone]);
  const missing = await git(['rev-list', '--objects', '--all', '--missing=print'], clone);
  expect(missing).toMatch(/^\?[0-9a-f]{40}$/m);
});

test('lets in only who presents the password or the token, and logs no secret', async () => {
  await using server = await startGitServer({ auth: { username: 'ada', password: 'secret-1' } });
  const url = await server.createRepo('origin.git');
  await expect(git(['ls-remote', url])).rejects.toThrow(/could not read Username|Authentication failed/);
  await expect(git(['ls-remote', url.replace('//', '//ada:wrong@')])).rejects.toThrow(/Authentication failed/);
  await git(['ls-remote', url.replace('//', '//ada:secret-1@')]);

  server.setAuth({ token: 'secret-2' });
  await git(['-c', 'http.extraHeader=Authorization: Bearer secret-2', 'ls-remote', url]);
  expect(JSON.stringify(server.requests)).not.toContain('secret');
  expect(server.requests.at(-1)?.authorization).toBe('Bearer');
});

test('fails as often as it is told', async () => {
  await using server = await startGitServer();
  const url = await server.createRepo('origin.git');
  server.fail(503);
  await expect(git(['ls-remote', url])).rejects.toThrow(/503/);
  await expect(git(['ls-remote', url])).resolves.toBe('');
});
