import type { Octokit } from '@octokit/core';
import type { CommentDraft } from '../forge.ts';
import type { GithubRepo } from './address.ts';

/** Comments looked through for one with our mark: the latest of a conversation that may be long. */
const maxPages = 10;
const pageSize = 100;

interface Found {
  readonly id: number | bigint;
  readonly body?: string | undefined;
}

/** Writes a comment once: an invisible mark in its text tells it from others, also after a crash. */
export async function writeComment(
  client: Octokit,
  repo: GithubRepo,
  draft: CommentDraft,
  signal: AbortSignal,
): Promise<void> {
  const mark = `<!-- millrace:${draft.mark} -->`;
  const body = `${draft.body}\n\n${mark}`;
  const found = await findMarked(client, repo, draft.number, mark, signal);
  if (found?.body === body) return;
  if (found) {
    await client.request('PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}', {
      ...repo,
      comment_id: Number(found.id),
      body,
      request: { signal },
    });
    return;
  }
  try {
    await client.request('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
      ...repo,
      issue_number: draft.number,
      body,
      request: { signal },
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!(await findMarked(client, repo, draft.number, mark, signal).catch(() => undefined))) throw error;
  }
}

async function findMarked(
  client: Octokit,
  repo: GithubRepo,
  number: number,
  mark: string,
  signal: AbortSignal,
): Promise<Found | undefined> {
  for (let page = 1; page <= maxPages; page += 1) {
    const { data } = await client.request('GET /repos/{owner}/{repo}/issues/{issue_number}/comments', {
      ...repo,
      issue_number: number,
      per_page: pageSize,
      page,
      request: { signal },
    });
    const found = data.find(({ body }) => body?.includes(mark));
    if (found || data.length < pageSize) return found;
  }
  return undefined;
}
