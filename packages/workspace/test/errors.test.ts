import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, startGitServer } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import type { WorkspaceError } from '../src/index.ts';
import { fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';
import { watchProcesses } from './support/watch-processes.ts';

async function failure(work: Promise<unknown>): Promise<WorkspaceError> {
  return await work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as WorkspaceError,
  );
}

describe('a bad request is a typed error and leaves nothing', () => {
  test.each([
    ['missing path', { repo: '/nonexistent/repo.git' }, 'ERR_WORKSPACE_REPO_NOT_FOUND'],
    ['protocol that runs a program', { repo: 'ext::sh -c id' }, 'ERR_WORKSPACE_REFUSED'],
    ['address that is an option', { repo: '--upload-pack=touch /tmp/x' }, 'ERR_WORKSPACE_REFUSED'],
    ['protocol that is not allowed', { repo: 'https://example.org/x.git' }, 'ERR_WORKSPACE_REFUSED'],
    ['credentials in the address', { repo: 'https://user:secret@example.org/x.git' }, 'ERR_WORKSPACE_REFUSED'],
    ['no address at all', { repo: 'not a url' }, 'ERR_WORKSPACE_INVALID_OPTION'],
    ['host that is an option', { repo: 'ssh://-oProxyCommand=id/x' }, 'ERR_WORKSPACE_REFUSED'],
  ])('%s', async (_name, request, code) => {
    await using it = fixture();
    const error = await failure(it.manager().checkout(request));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain('secret');
    expectNothingLeft(it.root, { mirrors: false });
  });

  test.each([
    ['missing branch', { ref: 'nowhere' }, 'ERR_WORKSPACE_REF_NOT_FOUND'],
    ['missing commit', { ref: 'a'.repeat(40) }, 'ERR_WORKSPACE_REF_NOT_FOUND'],
    ['ref that is an option', { ref: '--upload-pack=x' }, 'ERR_WORKSPACE_REFUSED'],
    ['ref that is an expression', { ref: 'main~1' }, 'ERR_WORKSPACE_REFUSED'],
    ['branch that leaves its folder', { branch: '../x' }, 'ERR_WORKSPACE_REFUSED'],
    ['cone that leaves the tree', { sparse: ['../x'] }, 'ERR_WORKSPACE_INVALID_OPTION'],
    ['lease that leaves its folder', { leaseId: '../x' }, 'ERR_WORKSPACE_INVALID_OPTION'],
  ])('%s', async (_name, request, code) => {
    await using it = fixture();
    const error = await failure(it.manager().checkout({ repo: it.origin, ...request }));
    expect(error.code).toBe(code);
    expectNothingLeft(it.root);
  });

  test('a repository without a commit', async () => {
    await using it = fixture();
    const empty = join(it.folder, 'empty.git');
    git(it.folder, 'init', '--quiet', '--bare', empty);
    expect((await failure(it.manager().checkout({ repo: empty }))).code).toBe('ERR_WORKSPACE_REF_NOT_FOUND');
    expectNothingLeft(it.root, { mirrors: false });
  });

  test('a server that is not there, and one that never answers', async () => {
    await using it = fixture();
    const dead = `http://127.0.0.1:${await freePort()}/x.git`;
    const manager = it.manager({ allowedProtocols: ['http'], limits: { networkTimeout: 800, freeBytes: 0 } });
    expect(await failure(manager.checkout({ repo: dead }))).toMatchObject({
      code: 'ERR_WORKSPACE_NETWORK',
      retryable: true,
    });
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const slow = await failure(manager.checkout({ repo: `http://127.0.0.1:${port}/x.git` }));
    silent.close();
    expect(slow).toMatchObject({ code: 'ERR_WORKSPACE_TIMEOUT', retryable: true });
    expectNothingLeft(it.root, { mirrors: false });
  });

  test('an aborted checkout', async () => {
    await using it = fixture();
    const manager = it.manager();
    await manager.ready();
    const abort = new AbortController();
    const work = failure(manager.checkout({ repo: it.origin, signal: abort.signal }));
    abort.abort();
    expect((await work).name).toBe('AbortError');
    expectNothingLeft(it.root);
  });

  test('a lease that is held', async () => {
    await using it = fixture();
    const manager = it.manager();
    await using held = await manager.checkout({ repo: it.origin, leaseId: 'run-1' });
    expect((await failure(manager.checkout({ repo: it.origin, leaseId: 'run-1' }))).code).toBe(
      'ERR_WORKSPACE_LEASE_HELD',
    );
    expect((await held.status()).clean).toBe(true);
  });
});

test('credentials: asked at the moment of need, refused when wrong, and in no file, argv or agent environment', async () => {
  await using it = fixture();
  await using server = await startGitServer({ auth: { username: 'bot', password: 's3cr3t-t0ken' } });
  const repo = await server.createRepo('private.git', it.origin);
  const http = { allowedProtocols: ['http'] as const };
  expect((await failure(it.manager(http).checkout({ repo }))).code).toBe('ERR_WORKSPACE_AUTH');
  const wrong = it.manager({ ...http, credentials: async () => ({ username: 'bot', password: 'no' }) });
  expect((await failure(wrong.checkout({ repo }))).code).toBe('ERR_WORKSPACE_AUTH');
  expectNothingLeft(it.root, { mirrors: false });
  const asked: string[] = [];
  const manager = it.manager({
    ...http,
    credentials: async ({ operation, path }) => {
      asked.push(`${operation} ${path}`);
      return { username: 'bot', password: 's3cr3t-t0ken' };
    },
  });
  const watch = watchProcesses('s3cr3t-t0ken');
  await using workspace = await manager.checkout({ repo, branch: 'agent/1' });
  await workspace.exec('sh', ['-c', 'echo 1 > 1.txt']);
  await workspace.commitAll('One');
  await workspace.push();
  const { looks, found } = watch.stop();
  expect(found).toEqual([]);
  expect(looks).toBeGreaterThan(50);
  expect(new Set(asked)).toEqual(new Set(['fetch private.git', 'push private.git']));
  expect((await workspace.exec('grep', ['-r', '--files-with-matches', 's3cr3t-t0ken', it.root])).stdout).toBe('');
  const { stdout } = await workspace.exec('sh', ['-c', 'env; tr "\\0" "\\n" < /proc/self/environ']);
  expect(stdout).not.toMatch(/s3cr3t|CREDENTIAL/);
});
