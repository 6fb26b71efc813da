import type { Hint, Relay } from './relay.ts';

/** Hints within one process. Other processes on the same data see changes by polling. */
export function memoryRelay(): Relay {
  const listeners = new Set<(hint: Hint) => void>();
  return {
    publish(hint) {
      for (const listener of listeners) listener(hint);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      listeners.clear();
    },
  };
}
