import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiError } from './problem.ts';

/** Asks a remote what a ref is, without making a mirror. */
export type ResolveRef = (repo: string, ref: string, signal: AbortSignal) => Promise<unknown>;

/** Checks, before a run is accepted, that its repository and ref are there. */
export interface Preflight {
  /**
   * @throws {ApiError} that says what is wrong with the repository or the ref.
   */
  check(repo: string, ref: string): Promise<void>;
}

export interface PreflightOptions {
  readonly protocols: readonly string[];
  readonly resolve: ResolveRef;
  /** Milliseconds an answer of the remote stays good, so that a busy repository is asked once. @default 60_000 */
  readonly maxAge?: number;
  /** Milliseconds the remote may take. @default 10_000 */
  readonly timeout?: number;
}

/** Answers kept at most. */
const maxEntries = 10_000;

export function createPreflight(options: PreflightOptions): Preflight {
  const { maxAge = 60_000, timeout = 10_000 } = options;
  const answers = new Map<string, { readonly until: number; readonly answer: Promise<void> }>();

  const ask = async (repo: string, ref: string): Promise<void> => {
    try {
      await options.resolve(repo, ref, AbortSignal.timeout(timeout));
    } catch (error) {
      throw asRepoProblem(error, repo, ref);
    }
  };
  return {
    async check(repo, ref) {
      await checkAddress(repo, options.protocols);
      checkRef(ref);
      const key = `${repo}\n${ref}`;
      const known = answers.get(key);
      if (known && known.until > Date.now()) return await known.answer;
      const answer = ask(repo, ref);
      if (answers.size >= maxEntries) answers.clear();
      answers.set(key, { until: Date.now() + maxAge, answer });
      answer.catch(() => answers.delete(key));
      return await answer;
    },
  };
}

/** What the address itself tells, before anybody is asked. */
async function checkAddress(repo: string, protocols: readonly string[]): Promise<void> {
  const protocol = protocolOf(repo);
  if (!protocol || !protocols.includes(protocol)) {
    const detail = `repo must be a URL (${protocols.join(', ')})${protocols.includes('file') ? ' or an absolute path' : ''}.`;
    throw new ApiError(422, 'ERR_REPO_NOT_ALLOWED', detail);
  }
  if (protocol === 'file') await checkPath(repo.startsWith('file:') ? fileURLToPath(repo) : repo);
  else if (URL.canParse(repo) && new URL(repo).password !== '') {
    const detail = 'Leave the password out of repo: it would be stored. The server has credentials of its own.';
    throw new ApiError(422, 'ERR_REPO_CREDENTIALS', detail);
  }
}

/** Most of what git refuses in a ref, and above all what it would take for an option. */
function checkRef(ref: string): void {
  if (/^[^-\p{Cc} ~^:?*[\\][^\p{Cc} ~^:?*[\\]*$/u.test(ref) && !ref.includes('..')) return;
  throw new ApiError(422, 'ERR_REF_NOT_FOUND', `${JSON.stringify(ref)} cannot be the name of a branch, tag or commit.`);
}

function protocolOf(repo: string): string | undefined {
  if (isAbsolute(repo)) return 'file';
  const scheme = /^([a-z]+):\/\//.exec(repo)?.[1];
  if (scheme) return scheme;
  return /^[\w.-]+@[\w.-]+:[^\s]+$/.test(repo) ? 'ssh' : undefined;
}

async function checkPath(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new ApiError(422, 'ERR_REPO_NOT_FOUND', `There is nothing at ${path} on the server.`);
  if (!found.isDirectory()) {
    const detail = `${path} is a file, and a run pushes its branch: make a repository of a bundle with git clone --bare.`;
    throw new ApiError(422, 'ERR_REPO_NOT_ALLOWED', detail);
  }
}

const problemCodes: Readonly<Record<string, `ERR_${string}`>> = {
  ERR_WORKSPACE_REPO_NOT_FOUND: 'ERR_REPO_NOT_FOUND',
  ERR_WORKSPACE_REF_NOT_FOUND: 'ERR_REF_NOT_FOUND',
  ERR_WORKSPACE_AUTH: 'ERR_REPO_AUTH',
  ERR_WORKSPACE_NETWORK: 'ERR_REPO_UNREACHABLE',
  ERR_WORKSPACE_TIMEOUT: 'ERR_REPO_UNREACHABLE',
  ERR_WORKSPACE_REFUSED: 'ERR_REPO_NOT_ALLOWED',
  ERR_WORKSPACE_INVALID_OPTION: 'ERR_REF_NOT_FOUND',
};

const cures: Readonly<Record<string, string>> = {
  ERR_REPO_NOT_FOUND: 'check the address',
  ERR_REF_NOT_FOUND: 'name a branch, tag or commit that was pushed',
  ERR_REPO_AUTH: 'give the server credentials for it',
  ERR_REPO_UNREACHABLE: 'check the host, and send the request again when it answers',
  ERR_REPO_NOT_ALLOWED: 'use an address that this server allows',
};

function asRepoProblem(error: unknown, repo: string, ref: string): unknown {
  const { code = '', name, message } = error as { code?: string; name?: string; message?: string };
  const timedOut = name === 'TimeoutError' || name === 'AbortError';
  const problem = timedOut ? 'ERR_REPO_UNREACHABLE' : problemCodes[code];
  if (!problem) return error;
  const subject = problem === 'ERR_REF_NOT_FOUND' ? `ref ${ref} of ${repo}` : `repo ${repo}`;
  const why = timedOut ? 'It did not answer in time.' : message;
  return new ApiError(422, problem, `The ${subject} cannot be used: ${cures[problem]}. ${why}`, { cause: error });
}
