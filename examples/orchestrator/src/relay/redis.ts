import { Redis } from 'ioredis';
import { createListeners } from './listeners.ts';
import type { HintKind, Relay } from './relay.ts';

const prefix = 'millrace:hints:';

/**
 * Hints between the processes of a deployment, by publish and subscribe; each kind has a channel, since most processes listen
 * to few of them. Redis being away costs nothing but speed: what a hint would have told is found by the next poll, so
 * failures are reported and no work waits for them.
 */
export function redisRelay(url: string, onError: (error: unknown) => void): Relay {
  const publisher = new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
  // ioredis' own second subscription has no `catch`: closed at that moment, it would end the process.
  const subscriber = new Redis(url, { maxRetriesPerRequest: null, autoResubscribe: false });
  const channels = new Set<string>();
  const listen = (names: readonly string[]): void => void subscriber.subscribe(...names).catch(onError);
  const listeners = createListeners((kind) => {
    if (kind === 'outbox') return;
    channels.add(prefix + kind);
    if (subscriber.status === 'ready') listen([prefix + kind]);
  });
  publisher.on('error', onError);
  subscriber.on('error', onError);
  subscriber.on('ready', () => {
    if (channels.size > 0) listen([...channels]);
  });
  subscriber.on('message', (channel, runId) => {
    listeners.tell({ kind: channel.slice(prefix.length) as HintKind, runId });
  });
  return {
    publish(hint) {
      listeners.tell(hint);
      if (hint.kind === 'outbox') return;
      publisher.publish(prefix + hint.kind, hint.runId).catch(onError);
    },
    subscribe: listeners.subscribe,
    async [Symbol.asyncDispose]() {
      listeners.clear();
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
