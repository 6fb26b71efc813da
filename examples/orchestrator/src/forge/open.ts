import type { RateLimitInstrumentation, Store } from '@millrace/ratelimit';
import type { CredentialProvider } from '@millrace/workspace';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import type { Forge } from './forge.ts';
import type { HookLog } from './github/deliveries.ts';
import { localForge } from './local.ts';

/** The forges of a deployment. */
export interface Forges {
  /** The forge that keeps a repository; the `local` one for every repository of nobody else's. */
  of(repoUrl: string): Forge;
  /** Passwords for git, where a forge gives them. */
  readonly credentials: CredentialProvider;
  /** What the forge says it sent to us; absent where nobody can be asked. */
  readonly hookLog: HookLog | undefined;
}

export interface OpenForgesOptions {
  readonly config: Pick<Config, 'github'>;
  readonly db: Kysely<Database>;
  /** Shares the forge's limits between processes. */
  readonly store: Store;
  readonly instrumentation: RateLimitInstrumentation;
}

/** Opens the forges that are configured. A client library is loaded only by who uses it. */
export async function openForges({ config, db, store, instrumentation }: OpenForgesOptions): Promise<Forges> {
  const local = localForge(db);
  const settings = config.github;
  if (!settings) return { of: () => local, credentials: async () => undefined, hookLog: undefined };
  const [{ openGithub }, { createGithubClients }] = await Promise.all([
    import('./github/github.ts'),
    import('./github/clients.ts'),
  ]);
  const github = openGithub(settings, createGithubClients({ settings, store, instrumentation }));
  return {
    of: (repoUrl) => (github.owns(repoUrl) ? github.forge : local),
    credentials: github.credentials,
    hookLog: github.hookLog,
  };
}
