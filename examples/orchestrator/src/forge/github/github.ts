import type { CredentialProvider } from '@millrace/workspace';
import { type Forge, ForgeError } from '../forge.ts';
import { type GithubRepo, githubRepoOf } from './address.ts';
import { readChecks } from './checks.ts';
import type { GithubClients } from './clients.ts';
import { writeComment } from './comments.ts';
import { type HookLog, hookLog } from './deliveries.ts';
import { asForgeError } from './errors.ts';
import { openPullRequest } from './pull-requests.ts';
import type { GithubSettings } from './settings.ts';

/** GitHub as a forge, and what else it gives: passwords for git, and its log of webhooks. */
export interface Github {
  readonly forge: Forge;
  /** Whether a repository is one of this GitHub. */
  owns(repoUrl: string): boolean;
  readonly credentials: CredentialProvider;
  /** Absent while it is not known which hook is ours. */
  readonly hookLog: HookLog | undefined;
}

export function openGithub(settings: GithubSettings, clients: GithubClients): Github {
  const find = (repoUrl: string): GithubRepo => {
    const repo = githubRepoOf(repoUrl, settings.webUrl);
    if (repo) return repo;
    throw new ForgeError(`${repoUrl} is not a repository of ${settings.webUrl}.`, { retryable: false });
  };
  const asked = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asForgeError(error, what);
    }
  };
  const forge: Forge = {
    name: 'github',
    reportsChecks: true,
    openPullRequest: (draft, signal) =>
      asked(`Opening the pull request of ${draft.head}`, async () => {
        const repo = find(draft.repoUrl);
        return await openPullRequest(await clients.clientFor(repo), repo, draft, signal);
      }),
    comment: (draft, signal) =>
      asked(`Commenting on pull request ${draft.number}`, async () => {
        const repo = find(draft.repoUrl);
        await writeComment(await clients.clientFor(repo), repo, draft, signal);
      }),
    readChecks: (commit, sources, signal) =>
      asked(`Reading the checks of ${commit.sha}`, async () => {
        const repo = find(commit.repoUrl);
        return await readChecks(await clients.clientFor(repo), repo, commit, sources, signal);
      }),
  };
  const hook = settings.auth.kind === 'app' ? '/app/hook' : settings.hook;
  return {
    forge,
    owns: (repoUrl) => githubRepoOf(repoUrl, settings.webUrl) !== undefined,
    credentials: gitCredentials(settings, clients),
    hookLog: hook === undefined ? undefined : hookLog(clients.owner, hook),
  };
}

/** Git gets its password over a socket when it asks, for this GitHub only. */
function gitCredentials({ webUrl }: GithubSettings, clients: GithubClients): CredentialProvider {
  return async ({ operation, protocol, host, path }) => {
    const repo = githubRepoOf(`${protocol}://${host}/${path}`, webUrl);
    if (!repo || protocol !== new URL(webUrl).protocol.slice(0, -1)) return undefined;
    return { username: 'x-access-token', password: await clients.gitToken(repo, operation) };
  };
}
