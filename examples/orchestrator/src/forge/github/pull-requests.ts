import type { Octokit } from '@octokit/core';
import type { PullRequest, PullRequestDraft } from '../forge.ts';
import type { GithubRepo } from './address.ts';

/** The fields of GitHub's pull request that are looked at. */
interface Found {
  readonly number: number;
  readonly state: string;
  readonly title: string;
  readonly body: string | null;
  readonly html_url: string;
  readonly head: { readonly sha: string };
  readonly base: { readonly ref: string; readonly repo: { readonly id: number | bigint } };
}

/**
 * Opens the pull request of a branch once, however often it is asked: looked up by its head before, and again after a
 * request whose answer was an error, because an error does not say that nothing happened.
 */
export async function openPullRequest(
  client: Octokit,
  repo: GithubRepo,
  draft: PullRequestDraft,
  signal: AbortSignal,
): Promise<PullRequest> {
  const found = await findByHead(client, repo, draft, signal);
  if (found) return viewOf(await bringUpToDate(client, repo, draft, found, signal));
  try {
    return viewOf(await create(client, repo, draft, signal));
  } catch (error) {
    signal.throwIfAborted();
    const made = await findByHead(client, repo, draft, signal).catch(() => undefined);
    if (made) return viewOf(made);
    throw error;
  }
}

/** The open one of the branch; else a closed one of this very commit, which somebody merged or refused meanwhile. */
async function findByHead(
  client: Octokit,
  repo: GithubRepo,
  { head, headSha }: PullRequestDraft,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { data } = await client.request('GET /repos/{owner}/{repo}/pulls', {
    ...repo,
    head: `${repo.owner}:${head}`,
    state: 'all',
    per_page: 20,
    request: { signal },
  });
  return data.find(({ state }) => state === 'open') ?? data.find((pull) => pull.head.sha === headSha);
}

async function create(
  client: Octokit,
  repo: GithubRepo,
  { head, base, title, body }: PullRequestDraft,
  signal: AbortSignal,
): Promise<Found> {
  const target = base ?? (await defaultBranch(client, repo, signal));
  const { data } = await client.request('POST /repos/{owner}/{repo}/pulls', {
    ...repo,
    head,
    base: target,
    title,
    body,
    request: { signal },
  });
  return data;
}

async function defaultBranch(client: Octokit, repo: GithubRepo, signal: AbortSignal): Promise<string> {
  const { data } = await client.request('GET /repos/{owner}/{repo}', { ...repo, request: { signal } });
  return data.default_branch;
}

/** A closed one is left as it is: somebody decided about it. */
async function bringUpToDate(
  client: Octokit,
  repo: GithubRepo,
  draft: PullRequestDraft,
  found: Found,
  signal: AbortSignal,
): Promise<Found> {
  const base = draft.base ?? found.base.ref;
  const same = found.title === draft.title && (found.body ?? '') === draft.body && found.base.ref === base;
  if (same || found.state !== 'open') return found;
  const { data } = await client.request('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', {
    ...repo,
    pull_number: found.number,
    title: draft.title,
    body: draft.body,
    base,
    request: { signal },
  });
  return data;
}

function viewOf({ number, html_url, base }: Found): PullRequest {
  return { number, url: html_url, forgeRepoId: Number(base.repo.id) };
}
