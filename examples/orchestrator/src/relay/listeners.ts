import type { Hint, HintKind, Relay } from './relay.ts';

/** Who listens to hints in this process. */
export interface Listeners {
  readonly subscribe: Relay['subscribe'];
  /** Calls those who listen to hints of its kind; what comes back over the relay wakes them a second time, which is harmless. */
  tell(hint: Hint): void;
  clear(): void;
}

/** @param onKind told of each kind when somebody listens to it for the first time */
export function createListeners(onKind: (kind: HintKind) => void = () => {}): Listeners {
  const byKind = new Map<HintKind, Set<(hint: Hint) => void>>();
  const listenersOf = (kind: HintKind): Set<(hint: Hint) => void> => {
    const known = byKind.get(kind);
    if (known) return known;
    const made = new Set<(hint: Hint) => void>();
    byKind.set(kind, made);
    onKind(kind);
    return made;
  };
  return {
    subscribe(kinds, listener) {
      for (const kind of kinds) listenersOf(kind).add(listener);
      return () => {
        for (const kind of kinds) byKind.get(kind)?.delete(listener);
      };
    },
    tell(hint) {
      for (const listener of byKind.get(hint.kind) ?? []) listener(hint);
    },
    clear: () => byKind.clear(),
  };
}
