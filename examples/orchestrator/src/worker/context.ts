import type { WorkspaceManager } from '@millrace/workspace';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database, RunRow } from '../db/schema.ts';
import type { Executor } from '../executors/executor.ts';
import type { Forges } from '../forge/open.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Relay } from '../relay/relay.ts';
import type { RunState } from '../runs/states.ts';
import type { Cancellations } from './cancellations.ts';

/** What executing runs needs. */
export interface WorkerContext {
  readonly config: Config;
  readonly workerId: string;
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly objects: ObjectStore;
  readonly executor: Executor;
  readonly workspaces: WorkspaceManager;
  readonly forges: Forges;
  readonly gateway: Gateway;
  /** Folder with the programs of the agents that are installed on demand. */
  readonly agentPrograms: string;
  readonly cancellations: Cancellations;
  /** Folder for what runs need only while they run. */
  readonly scratch: string;
  /** Told of every step of every run. */
  readonly onState: (run: RunRow, from: RunState) => void;
}
