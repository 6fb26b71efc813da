import type { Hint } from '../../contract/index.ts';
import type { Connection } from './connection.ts';

/** How often other processes' commits are looked for. Reading `data_version` takes microseconds and no lock. */
const interval = 20;

/** Tells this process's listeners what other connections have done. */
export interface Watcher {
  add(listener: (hint: Hint) => void): () => void;
  /** Tells the listeners of this connection at once. */
  tell(hints: readonly Hint[]): void;
  stop(): void;
}

type Counters = Record<Hint, number>;

const read = `SELECT hint_ready AS ready, hint_cancel AS cancel, hint_finished AS finished FROM millrace_queue WHERE number = ?`;
const kinds: readonly Hint[] = ['ready', 'cancel', 'finished'];

/** The statement that leaves a hint for other connections, inside the transaction that it is about. */
export const leaveHint: Record<Hint, string> = {
  ready: 'UPDATE millrace_queue SET hint_ready = hint_ready + 1 WHERE number = ?',
  cancel: 'UPDATE millrace_queue SET hint_cancel = hint_cancel + 1 WHERE number = ?',
  finished: 'UPDATE millrace_queue SET hint_finished = hint_finished + 1 WHERE number = ?',
};

/**
 * `PRAGMA data_version` changes when another connection commits (https://www.sqlite.org/pragma.html#pragma_data_version); only then are the
 * hint counters of the queue read.
 */
export function createWatcher(connection: Connection, queue: number): Watcher {
  const listeners = new Set<(hint: Hint) => void>();
  let timer: NodeJS.Timeout | undefined;
  let version: number | undefined;
  let known: Counters | undefined;

  function tell(hints: readonly Hint[]): void {
    for (const hint of hints) for (const listener of [...listeners]) listener(hint);
  }

  function look(): void {
    const present = connection.get<{ data_version: number }>('PRAGMA data_version')?.data_version;
    if (present === version) return;
    version = present;
    const counters = connection.get<Counters>(read, queue);
    const before = known;
    known = counters;
    if (counters !== undefined && before !== undefined) tell(kinds.filter((kind) => counters[kind] !== before[kind]));
  }

  function poll(): void {
    try {
      look();
    } catch {
      // A busy or closing file gives no hint now; the workers' own polling is the promise.
    }
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
  }

  return {
    add: (listener) => {
      listeners.add(listener);
      if (timer === undefined) {
        poll();
        timer = setInterval(poll, interval);
        timer.unref();
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) stop();
      };
    },
    tell,
    stop,
  };
}
