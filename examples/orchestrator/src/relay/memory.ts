import { createListeners } from './listeners.ts';
import type { Relay } from './relay.ts';

/** Hints within one process. Other processes on the same data see changes by polling. */
export function memoryRelay(): Relay {
  const listeners = createListeners();
  return {
    publish: listeners.tell,
    subscribe: listeners.subscribe,
    async [Symbol.asyncDispose]() {
      listeners.clear();
    },
  };
}
