import type { Observability } from '@millrace/observability';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Read } from '../db/replica.ts';
import type { Database } from '../db/schema.ts';
import { createEventHub } from '../events/hub.ts';
import type { ApiContext } from '../http/context.ts';
import { createPreflight, type ResolveRef } from '../http/preflight.ts';
import { streamPlaces } from '../http/stream-places.ts';
import type { Submissions } from '../http/submissions.ts';
import type { ObjectStore } from '../objects/store.ts';
import { countRefusals, createHubObserver, watchStreams } from '../observe/streams.ts';
import type { Relay } from '../relay/relay.ts';
import type { RunQueue } from '../runs/queue.ts';
import type { Role } from './role.ts';

export interface ApiParts {
  readonly config: Config;
  readonly db: Kysely<Database>;
  readonly read: Read;
  readonly queue: RunQueue;
  readonly relay: Relay;
  readonly objects: ObjectStore;
  readonly submissions: Submissions;
  readonly resolveRef: ResolveRef;
  readonly observability: Observability;
  readonly onError: (error: unknown) => void;
}

/** The role `api`: what the routes need. It keeps no state, so any number of them may run. */
export function startApi(parts: ApiParts): Role & { readonly context: ApiContext } {
  const { config, observability } = parts;
  const hub = createEventHub({
    ...parts,
    pollInterval: config.pollInterval,
    observer: createHubObserver(observability),
  });
  watchStreams(observability, hub);
  const preflight = createPreflight({ protocols: config.repoProtocols, resolve: parts.resolveRef });
  const streams = countRefusals(observability, streamPlaces(config.apiStreams));
  return {
    name: 'api',
    context: { ...parts, hub, preflight, streams },
    stop: hub.stop,
  };
}
