import { type Clock, memoryStore, type RateLimitInstrumentation, type Store } from '@millrace/ratelimit';
import { type Fetch, github } from '@millrace/ratelimit/presets';
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/core';
import { limitsTimeout } from '../../limits.ts';
import type { GithubRepo } from './address.ts';
import type { GithubSettings } from './settings.ts';

/** GitHub's REST interface on behalf of whoever may touch a repository. */
export interface GithubClients {
  /** The client for a repository; an App is asked once which installation it belongs to. */
  clientFor(repo: GithubRepo, signal?: AbortSignal): Promise<Octokit>;
  /** Whoever owns the hook: the App itself, or the token. */
  readonly owner: Octokit;
  /** A password for git: of an App, one that is good for an hour, this repository and this operation. */
  gitToken(repo: GithubRepo, operation: 'fetch' | 'push'): Promise<string>;
}

export interface GithubClientsOptions {
  readonly settings: GithubSettings;
  /** Shares GitHub's limits between processes. */
  readonly store?: Store;
  readonly instrumentation?: RateLimitInstrumentation;
  /** Time of limits and retries. @default the machine's */
  readonly clock?: Clock;
}

/** Milliseconds that one request may take, its waits for limits included. */
const requestTimeout = 150_000;

export function createGithubClients(options: GithubClientsOptions): GithubClients {
  const { auth } = options.settings;
  return auth.kind === 'token' ? tokenClients(options, auth.token) : appClients(options, auth.appId, auth.privateKey);
}

function tokenClients(options: GithubClientsOptions, token: string): GithubClients {
  const client = new Octokit({ ...common(options, 'github-token'), auth: token });
  return { clientFor: async () => client, owner: client, gitToken: async () => token };
}

function appClients(options: GithubClientsOptions, appId: string, privateKey: string): GithubClients {
  const base = common(options, 'github-app');
  const owner = new Octokit({ ...base, authStrategy: createAppAuth, auth: { appId, privateKey } });
  const installations = new Map<string, Promise<number>>();
  const clients = new Map<number, Octokit>();
  const installationOf = (repo: GithubRepo): Promise<number> => {
    const name = `${repo.owner}/${repo.repo}`.toLowerCase();
    const known = installations.get(name);
    if (known) return known;
    const asked = owner.request('GET /repos/{owner}/{repo}/installation', { ...repo }).then(({ data }) => data.id);
    installations.set(name, asked);
    asked.catch(() => installations.delete(name));
    return asked;
  };
  const clientFor = async (repo: GithubRepo): Promise<Octokit> => {
    const installationId = await installationOf(repo);
    const known = clients.get(installationId);
    if (known) return known;
    const settings = common(options, `github-installation-${installationId}`);
    const auth = { appId, privateKey, installationId };
    const client = new Octokit({ ...settings, authStrategy: createAppAuth, auth });
    clients.set(installationId, client);
    return client;
  };
  return {
    clientFor,
    owner,
    async gitToken(repo, operation) {
      const client = await clientFor(repo);
      const permissions = { contents: operation === 'push' ? 'write' : 'read' };
      const request = { type: 'installation', repositoryNames: [repo.repo], permissions };
      const { token } = (await client.auth(request)) as { token: string };
      return token;
    },
  };
}

/**
 * The preset waits, retries and learns from GitHub's headers; octokit itself must not, too. What writes is sent once: a
 * request whose answer was an error may have had its effect, and only who asked can look.
 */
function common(options: GithubClientsOptions, account: string) {
  const { settings, instrumentation, clock } = options;
  const store = options.store ?? memoryStore(clock && { clock });
  const shared = {
    account,
    store,
    storeTimeout: limitsTimeout,
    ...(settings.limits && { limits: settings.limits }),
    ...(instrumentation && { instrumentation }),
    ...(clock && { clock }),
  };
  const [reads, writes] = [github(shared), github({ ...shared, retry: false })];
  const fetch: Fetch = (input, init = {}) => {
    const timeout = AbortSignal.timeout(requestTimeout);
    const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
    return (init.method === 'GET' ? reads : writes).fetch(input, { ...init, signal });
  };
  return { baseUrl: settings.apiUrl, userAgent: 'millrace', request: { fetch } };
}
