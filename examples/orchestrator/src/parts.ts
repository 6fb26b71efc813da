import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createObservability, type Observability } from '@millrace/observability';
import type { Store } from '@millrace/ratelimit';
import { createWorkspaceManager, type Protocol, type WorkspaceManager } from '@millrace/workspace';
import type { Closing } from './closing.ts';
import { type Config, ConfigError, maskSecrets } from './config.ts';
import { type OpenDatabase, openDatabase } from './db/open.ts';
import { openEmbeddedPostgres } from './embedded/postgres.ts';
import { type Forges, openForges } from './forge/open.ts';
import { openLimits } from './limits.ts';
import { openObjects } from './objects/open.ts';
import type { ObjectStore } from './objects/store.ts';
import { openRelay } from './relay/open.ts';
import type { Relay } from './relay/relay.ts';
import { openRunQueue, type RunQueue } from './runs/queue.ts';

/** Runs of one repository that begin within this time ask its server once: to ask costs a seventh of such a run. */
const askInterval = '400ms';

/** Everything that the roles of one process share, opened by the URLs of its configuration. */
export interface Parts {
  readonly config: Config;
  readonly database: OpenDatabase;
  readonly queue: RunQueue;
  readonly relay: Relay;
  readonly objects: ObjectStore;
  readonly workspaces: WorkspaceManager;
  /** Limits, breakers and budgets of the deployment. */
  readonly limits: Store;
  readonly forges: Forges;
  readonly observability: Observability;
  readonly scratch: string;
}

/** Opens the parts in the order in which they need each other; `closing` closes them in the other one. */
export async function openParts(config: Config, closing: Closing, observability: Observability): Promise<Parts> {
  const { log } = observability;
  await mkdir(config.dataDirectory, { recursive: true, mode: 0o711 }).catch((cause: Error) => {
    throw new ConfigError(`DATA_DIR ${config.dataDirectory} cannot be made: ${cause.message}.`, { cause });
  });
  const databaseUrl = await openServer(config, closing, (reason) =>
    log.warn({ reason }, 'embedded PostgreSQL restarts'),
  );
  const database = await openDatabase(databaseUrl, config.databasePool, (error) =>
    log.warn({ reason: error.message }, 'database connection lost'),
  ).catch((cause: Error) => {
    throw new ConfigError(`DATABASE_URL ${maskSecrets(databaseUrl)} cannot be used: ${cause.message}`, { cause });
  });
  closing.add('database', database.close);

  const queue = openRunQueue(config.queueUrl, observability.queue);
  closing.add('queue', () => queue.close());
  await queue.ready().catch((cause: Error) => {
    throw new ConfigError(`QUEUE_URL ${maskSecrets(config.queueUrl)} cannot be used: ${cause.message}`, { cause });
  });

  const relay = await openRelay(config.relayUrl, (error) => log.warn({ reason: String(error) }, 'relay unreachable'));
  closing.add('relay', () => relay[Symbol.asyncDispose]());
  const limits = await openLimits(config.limitsUrl, database.pool, closing);
  const { db } = database;
  const forges = await openForges({ config, db, store: limits, instrumentation: observability.rateLimit });
  const workspaces = createWorkspaceManager({
    root: join(config.dataDirectory, 'git'),
    allowedProtocols: config.repoProtocols as readonly Protocol[],
    credentials: forges.credentials,
    askInterval,
    instrumentation: observability.workspace,
    log,
  });
  closing.add('workspaces', () => workspaces.close());
  const scratch = join(config.dataDirectory, 'scratch');
  const objects = await openObjects(config.objectsUrl);
  closing.add('objects', () => objects[Symbol.asyncDispose]?.());
  return { config, database, queue, relay, objects, workspaces, limits, forges, observability, scratch };
}

async function openServer(config: Config, closing: Closing, onRestart: (reason: string) => void): Promise<string> {
  if (config.databaseUrl !== 'embedded:') return config.databaseUrl;
  const server = await openEmbeddedPostgres({ directory: join(config.dataDirectory, 'postgres'), onRestart });
  closing.add('embedded PostgreSQL', server.close);
  return server.url;
}

/** Logs as JSON lines, metrics and health of this process. */
export function openObservability(config: Config): Observability {
  return createObservability({ service: 'millrace', log: { level: config.logLevel } });
}
