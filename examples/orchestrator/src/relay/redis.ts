import { Redis } from 'ioredis';
import { formatHint, parseHint, tell } from './hint-text.ts';
import type { Hint, Relay } from './relay.ts';

const channel = 'millrace:hints';

/**
 * Hints between the processes of a deployment, by publish and subscribe. Redis being away costs nothing but speed: what a
 * hint would have told is found by the next poll, so failures are reported and no work waits for them.
 */
export function redisRelay(url: string, onError: (error: unknown) => void): Relay {
  const listeners = new Set<(hint: Hint) => void>();
  const publisher = new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: false });
  // ioredis' own second subscription has no `catch`: closed at that moment, it would end the process.
  const subscriber = new Redis(url, { maxRetriesPerRequest: null, autoResubscribe: false });
  publisher.on('error', onError);
  subscriber.on('error', onError);
  subscriber.on('ready', () => void subscriber.subscribe(channel).catch(onError));
  subscriber.on('message', (_channel, text) => {
    const hint = parseHint(text);
    if (hint) tell(listeners, hint);
  });
  return {
    publish(hint) {
      tell(listeners, hint);
      if (hint.kind === 'outbox') return;
      publisher.publish(channel, formatHint(hint)).catch(onError);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      listeners.clear();
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}
