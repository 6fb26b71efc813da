import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createWorkspaceManager, type WorkspaceManager, type WorkspaceManagerOptions } from '../../src/index.ts';

const environment = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
  GIT_AUTHOR_DATE: '@1700000000 +0000',
  GIT_COMMITTER_DATE: '@1700000000 +0000',
};

/** Runs plain git, as a person would. */
export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd,
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trimEnd();
}

/** A folder with an origin and a root for managers. */
export interface Fixture extends AsyncDisposable {
  readonly folder: string;
  /** Bare repository, the "remote". */
  readonly origin: string;
  /** Clone to make commits in. */
  readonly author: string;
  readonly root: string;
  /** A manager on the root that allows local paths. */
  manager(options?: Partial<WorkspaceManagerOptions>): WorkspaceManager;
  /** Commits files and pushes them; returns the commit. */
  push(files: Readonly<Record<string, string>>, branch?: string): string;
}

/** Makes an origin with one commit on `main`. */
export function fixture(
  initial: Readonly<Record<string, string>> = { 'readme.md': 'hello\n', 'src/a.txt': 'a\n', 'docs/b.txt': 'b\n' },
): Fixture {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-workspace-'));
  const [origin, author, root] = [join(folder, 'origin.git'), join(folder, 'author'), join(folder, 'root')];
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', origin);
  git(folder, 'init', '--quiet', '--initial-branch=main', author);
  git(author, 'remote', 'add', 'origin', origin);
  const managers: WorkspaceManager[] = [];
  const push = (files: Readonly<Record<string, string>>, branch = 'main'): string => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(author, name)), { recursive: true });
      writeFileSync(join(author, name), text);
    }
    git(author, 'add', '--all');
    git(author, 'commit', '--quiet', '--allow-empty', '-m', 'change');
    git(author, 'push', '--quiet', '--force', 'origin', `HEAD:refs/heads/${branch}`);
    return git(author, 'rev-parse', 'HEAD');
  };
  push(initial);
  return {
    folder,
    origin,
    author,
    root,
    push,
    manager: (options = {}) => {
      const manager = createWorkspaceManager({
        root,
        allowedProtocols: ['file'],
        limits: { freeBytes: 0 },
        ...options,
      });
      managers.push(manager);
      return manager;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(managers.map((manager) => manager.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
