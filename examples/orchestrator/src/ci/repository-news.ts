import { z } from 'zod';

/** What webhooks tell about a repository besides its checks. */
export type RepositoryNews =
  | { readonly kind: 'pushed'; readonly repoId: number; readonly urls: readonly string[] }
  | {
      readonly kind: 'closed';
      readonly repoId: number;
      readonly number: number;
      readonly merged: boolean;
    }
  | { readonly kind: 'reopened'; readonly repoId: number; readonly number: number };

const urls = { clone_url: z.string().nullish(), ssh_url: z.string().nullish(), html_url: z.string().nullish() };
const push = z.object({ repository: z.object({ id: z.number(), ...urls }) });
const pullRequest = z.object({
  action: z.string(),
  repository: z.object({ id: z.number() }),
  pull_request: z.object({ number: z.number(), merged: z.boolean().nullish() }),
});

/** Reads a delivery; what is not understood says nothing. */
export function repositoryNewsIn(event: string, payload: unknown): RepositoryNews | undefined {
  if (event === 'push') return pushIn(push.safeParse(payload).data);
  if (event === 'pull_request') return pullRequestIn(pullRequest.safeParse(payload).data);
  return undefined;
}

function pushIn(data: z.output<typeof push> | undefined): RepositoryNews | undefined {
  if (!data) return undefined;
  const { id, clone_url, ssh_url, html_url } = data.repository;
  const known = [clone_url, ssh_url, html_url].filter((url) => typeof url === 'string' && url !== '');
  return { kind: 'pushed', repoId: id, urls: known as string[] };
}

function pullRequestIn(data: z.output<typeof pullRequest> | undefined): RepositoryNews | undefined {
  if (!data) return undefined;
  const { repository, pull_request: pull, action } = data;
  const name = { repoId: repository.id, number: pull.number };
  if (action === 'closed') return { kind: 'closed', ...name, merged: pull.merged === true };
  return action === 'reopened' ? { kind: 'reopened', ...name } : undefined;
}
