import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Read } from '../db/replica.ts';
import type { Database } from '../db/schema.ts';
import type { EventHub } from '../events/hub.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Relay } from '../relay/relay.ts';
import type { RunQueue } from '../runs/queue.ts';
import type { Preflight } from './preflight.ts';
import type { StreamPlaces } from './stream-places.ts';
import type { Submissions } from './submissions.ts';

/** What the routes of the API need. */
export interface ApiContext {
  readonly config: Config;
  readonly db: Kysely<Database>;
  /** Runs a query that may see the database as it was a moment ago; what follows a write must not. */
  readonly read: Read;
  readonly queue: RunQueue;
  readonly relay: Relay;
  /** Event streams that are open in this process. */
  readonly streams: StreamPlaces;
  readonly hub: EventHub;
  readonly objects: ObjectStore;
  readonly preflight: Preflight;
  readonly submissions: Submissions;
}
