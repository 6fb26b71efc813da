import type { WorkspaceManager } from '@millrace/workspace';
import type { Kysely } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { Relay } from '../relay/relay.ts';

export interface PrefetchOptions {
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly workspaces: WorkspaceManager;
  readonly onError: (error: unknown) => void;
}

/**
 * Brings mirrors up to date when somebody pushed, before a run waits for that. Only mirrors that this machine has: a
 * repository that no run of this worker needed is fetched by the first one.
 */
export function prefetchOnPush({ db, relay, workspaces, onError }: PrefetchOptions): () => void {
  const prefetch = async (repoId: string): Promise<void> => {
    const repo = await db.selectFrom('repos').select('url').where('id', '=', repoId).executeTakeFirst();
    if (!repo) return;
    const { mirrors } = await workspaces.inspect();
    if (!mirrors.some((mirror) => sameRepository(mirror.repo, repo.url))) return;
    await workspaces.hint(repo.url);
    await workspaces.prefetch(repo.url);
  };
  return relay.subscribe(['push'], ({ runId }) => void prefetch(runId).catch(onError));
}

/** The manager names mirrors by the address without what does not change its meaning. */
function sameRepository(a: string, b: string): boolean {
  const plain = (url: string) => url.replace(/\.git\/?$|\/$/, '').toLowerCase();
  return plain(a) === plain(b);
}
