import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import type { EventHub } from '../events/hub.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Relay } from '../relay/relay.ts';
import type { Preflight } from './preflight.ts';
import type { Submissions } from './submit.ts';

/** What the routes of the API need. */
export interface ApiContext {
  readonly config: Config;
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly hub: EventHub;
  readonly objects: ObjectStore;
  readonly preflight: Preflight;
  readonly submissions: Submissions;
  readonly tenantId: string;
  /** Aborts when the server begins to close: open streams end, and their clients resume elsewhere. */
  readonly closing: AbortSignal;
}
