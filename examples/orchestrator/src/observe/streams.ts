import type { Observability } from '@millrace/observability';
import type { EventHub, HubObserver } from '../events/hub.ts';
import type { StreamPlaces } from '../http/stream-places.ts';

/** Records what happens to live streams. */
export function createHubObserver({ runs }: Observability): HubObserver {
  return {
    dropped: (reason, count) => runs.sseDropped.add(count, reason),
    arrived: (lag) => runs.relayLag.observe(Math.max(0, lag) / 1000),
  };
}

/** Shows, at each scrape, how many clients follow live events here. */
export function watchStreams(observability: Observability, hub: EventHub): void {
  observability.onCollect('streams', () => observability.runs.sseClients.set(hub.readers));
}

/** Counts the streams that a tenant was refused because it has too many. */
export function countRefusals({ runs }: Observability, places: StreamPlaces): StreamPlaces {
  return {
    enter(tenantId) {
      try {
        return places.enter(tenantId);
      } catch (error) {
        runs.sseDropped.add(1, 'limit');
        throw error;
      }
    },
  };
}
