/** `outbox` stays in its process: each has a relay of the outbox, and one that wakes is enough. */
export type HintKind = 'run' | 'cancel' | 'outbox' | 'webhook' | 'push' | 'drain';

/** Something changed; whoever cares reads the database. A hint that is lost only costs the time of one poll. */
export interface Hint {
  readonly kind: HintKind;
  /** Empty for `webhook`, which is about no run in particular; the id of the repository for `push`, of the worker for `drain`. */
  readonly runId: string;
}

/** Carries hints between the processes of an orchestrator: speed, never truth. */
export interface Relay extends AsyncDisposable {
  publish(hint: Hint): void;
  /** Calls `listener` for every hint of these kinds until the function it returns is called. */
  subscribe(kinds: readonly HintKind[], listener: (hint: Hint) => void): () => void;
}
