import { execFile } from 'node:child_process';
import { devNull } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Neither the user's git configuration nor a repository around the tests has a say in what the tests do. */
export function gitEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env;
  return {
    PATH,
    HOME,
    ...(TMPDIR && { TMPDIR }),
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_GLOBAL: devNull,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_AUTHOR_NAME: 'Test',
    GIT_AUTHOR_EMAIL: 'test@example.com',
    GIT_COMMITTER_NAME: 'Test',
    GIT_COMMITTER_EMAIL: 'test@example.com',
  };
}

/** Runs git and answers its standard output without the last newline. Rejects, with stderr, when git fails. */
export async function git(args: readonly string[], cwd?: string): Promise<string> {
  const { stdout } = await run('git', [...args], {
    ...(cwd !== undefined && { cwd }),
    env: gitEnvironment(),
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.trimEnd();
}

/** Lets a bare repository be fetched from and pushed to over HTTP. */
export async function configureServed(path: string, allowFilter: boolean): Promise<void> {
  const settings = {
    'http.receivepack': 'true',
    'uploadpack.allowFilter': String(allowFilter),
    'uploadpack.allowAnySHA1InWant': String(allowFilter),
  };
  for (const [name, value] of Object.entries(settings)) await git(['config', name, value], path);
}
