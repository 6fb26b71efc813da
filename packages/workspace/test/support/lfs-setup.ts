import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { StrategyName, Workspace, WorkspaceManager, WorkspaceManagerOptions } from '../../src/index.ts';
import { type Fixture, fixture, git } from './fixture.ts';
import { type LfsTestServer, startLfsServer } from './lfs-server.ts';

/** Gives `.bin` files to LFS. */
export const attributes = '*.bin filter=lfs diff=lfs merge=lfs -text\n';

/** A server with one repository. */
export interface Setup extends AsyncDisposable {
  readonly it: Fixture;
  readonly lfs: LfsTestServer;
  readonly repo: string;
  readonly content: Buffer;
  /** Commits files and pushes them to the server. */
  push(files: Readonly<Record<string, string>>): string;
}

/** A repository with one large file in two places, and a file that only looks like a pointer. */
export async function setup(size = 100_000): Promise<Setup> {
  const it = fixture();
  const lfs = await startLfsServer();
  const content = randomBytes(size);
  const pointer = lfs.add(content);
  const files = { '.gitattributes': attributes, 'assets/big.bin': pointer, 'big.bin': pointer, 'looks.txt': pointer };
  it.push(files);
  await lfs.git.createRepo('x.git', it.origin);
  const push = (more: Readonly<Record<string, string>>): string => {
    const commit = it.push(more);
    git(it.author, 'push', '--quiet', '--force', join(lfs.git.root, 'x.git'), 'HEAD:refs/heads/main');
    return commit;
  };
  return {
    it,
    lfs,
    content,
    repo: `${lfs.url}/x.git`,
    push,
    [Symbol.asyncDispose]: async () => {
      await it[Symbol.asyncDispose]();
      await lfs[Symbol.asyncDispose]();
    },
  };
}

/** A manager that may use the server. */
export function managerOf(
  { it }: Pick<Setup, 'it'>,
  strategy: StrategyName,
  options: Partial<WorkspaceManagerOptions> = {},
): WorkspaceManager {
  return it.manager({ allowedProtocols: ['http'], strategies: [strategy, 'clone'], pool: { size: 1 }, ...options });
}

/** Runs a script as the agent. */
export async function sh(workspace: Workspace, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await workspace.exec('sh', ['-ec', script]);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

/** Large files below a root. */
export function storedObjects(it: Fixture): string[] {
  const found = readdirSync(join(it.root, 'mirrors'), { recursive: true, encoding: 'utf8' });
  return found.filter((name) => /^[^/]+\/lfs\/objects\/..\/..\/[0-9a-f]{64}$/.test(name));
}
