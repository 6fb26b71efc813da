import type { Octokit } from '@octokit/core';
import type { CheckSource, Observation } from '../../ci/observation.ts';
import { observationsIn } from '../../ci/payloads.ts';
import type { CheckedCommitName } from '../forge.ts';
import type { GithubRepo } from './address.ts';

/** Pages of one list that are read at most: a commit has hundreds of checks, not thousands. */
const maxPages = 10;
const pageSize = 100;

type Page = (page: number) => Promise<readonly unknown[]>;

/**
 * Reads the checks of a commit from GitHub's lists. Their entries are the objects that webhooks carry, so both ways
 * are understood by the same readers and merge into one truth.
 */
export async function readChecks(
  client: Octokit,
  repo: GithubRepo,
  commit: CheckedCommitName,
  sources: readonly CheckSource[],
  signal: AbortSignal,
): Promise<readonly Observation[]> {
  const lists = await Promise.all(
    [...new Set(sources.map(listOf))].map(async (source) => {
      const entries = await all(listers[source](client, repo, commit.sha, signal));
      return entries.flatMap((entry) => observationsIn(source, asDelivery(source, commit, entry)));
    }),
  );
  return lists.flat();
}

type ListedSource = Exclude<CheckSource, 'workflow_job'>;

/** Jobs are spoken for by their workflow. */
function listOf(source: CheckSource): ListedSource {
  return source === 'workflow_job' ? 'workflow_run' : source;
}

function asDelivery(source: ListedSource, { forgeRepoId, sha }: CheckedCommitName, entry: unknown): unknown {
  const repository = { id: forgeRepoId };
  if (source === 'status') return { ...(entry as object), repository, sha };
  return { repository, [source]: entry };
}

const listers: Readonly<
  Record<ListedSource, (client: Octokit, repo: GithubRepo, sha: string, signal: AbortSignal) => Page>
> = {
  check_run: (client, repo, sha, signal) => async (page) => {
    const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs';
    const { data } = await client.request(route, { ...repo, ref: sha, ...pageOf(page), request: { signal } });
    return data.check_runs;
  },
  check_suite: (client, repo, sha, signal) => async (page) => {
    const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-suites';
    const { data } = await client.request(route, { ...repo, ref: sha, ...pageOf(page), request: { signal } });
    return data.check_suites;
  },
  workflow_run: (client, repo, sha, signal) => async (page) => {
    const route = 'GET /repos/{owner}/{repo}/actions/runs';
    const { data } = await client.request(route, { ...repo, head_sha: sha, ...pageOf(page), request: { signal } });
    return data.workflow_runs;
  },
  status: (client, repo, sha, signal) => async (page) => {
    const route = 'GET /repos/{owner}/{repo}/commits/{ref}/status';
    const { data } = await client.request(route, { ...repo, ref: sha, ...pageOf(page), request: { signal } });
    return data.statuses;
  },
};

function pageOf(page: number): { readonly per_page: number; readonly page?: number } {
  return page === 1 ? { per_page: pageSize } : { per_page: pageSize, page };
}

async function all(read: Page): Promise<readonly unknown[]> {
  const entries: unknown[] = [];
  for (let page = 1; page <= maxPages; page += 1) {
    const found = await read(page);
    entries.push(...found);
    if (found.length < pageSize) break;
  }
  return entries;
}
