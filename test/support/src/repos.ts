import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedFolder } from './cache.ts';
import { git, gitEnvironment } from './git/command.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Repositories to test on: paths to git bundles, or to bare repositories where the bundles are not at hand. */
export interface TestRepos {
  readonly got: string;
  readonly fastify: string;
  readonly vite: string;
  /** Whether these are the real histories; else all three are the one of {@link syntheticRepo}. */
  readonly real: boolean;
}

/**
 * The real repositories (bundles `got`, `fastify`, `vite` in the folder `MILLRACE_TEST_REPOS`, or in
 * `../shared/data/repos` beside the checkout where that is there), else a synthetic one for each.
 */
export async function testRepos(): Promise<TestRepos> {
  const folder = resolve(process.env.MILLRACE_TEST_REPOS ?? join(ROOT, '..', 'shared', 'data', 'repos'));
  const bundle = (name: string): string => join(folder, `${name}.bundle`);
  const repos = { got: bundle('got'), fastify: bundle('fastify'), vite: bundle('vite') };
  const there = await Promise.all(
    Object.values(repos).map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (there.every(Boolean)) return { ...repos, real: true };
  if (process.env.MILLRACE_TEST_REPOS !== undefined) {
    throw new Error(`MILLRACE_TEST_REPOS=${folder} lacks got.bundle, fastify.bundle or vite.bundle.`);
  }
  const path = await syntheticRepo();
  return { got: path, fastify: path, vite: path, real: false };
}

/** Size of a synthetic history. */
export interface SyntheticOptions {
  /** @default 200 */
  readonly commits?: number;
  /** Files of the last commit, in folders of 50. @default 400 */
  readonly files?: number;
}

/** A bare repository made by `git fast-import` (branch `main`, tag `v1`), the same for the same options; cached. Read only. */
export function syntheticRepo({ commits = 200, files = 400 }: SyntheticOptions = {}): Promise<string> {
  return cachedFolder(`synthetic-${commits}-${files}.git`, async (draft) => {
    await git(['init', '--quiet', '--bare', '--initial-branch=main', draft]);
    const child = spawn('git', ['fast-import', '--quiet'], {
      cwd: draft,
      env: gitEnvironment(),
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    child.stdin.end(history(commits, files));
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`git fast-import ended with ${code}.`);
  });
}

/** Every commit adds its share of files and changes one more. */
function history(commits: number, files: number): string {
  const share = Math.ceil(files / commits);
  let made = 0;
  const parts: string[] = [];
  for (let commit = 0; commit < commits; commit += 1) {
    const date = 1_600_000_000 + commit * 3_600;
    parts.push(
      `commit refs/heads/main\ncommitter Test <test@example.com> ${date} +0000\n${data(`Change ${commit}\n`)}`,
    );
    for (const end = Math.min(files, made + share); made < end; made += 1) parts.push(file(made, commit));
    parts.push(file(commit % Math.max(made, 1), commit));
  }
  parts.push('reset refs/tags/v1\nfrom refs/heads/main\n\ndone\n');
  return parts.join('');
}

function file(index: number, commit: number): string {
  const lines = Array.from(
    { length: 20 + (index % 60) },
    (_, line) => `export const value${line} = ${index * line + commit};\n`,
  );
  return `M 100644 inline src/part${Math.floor(index / 50)}/file${index}.ts\n${data(lines.join(''))}`;
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}
