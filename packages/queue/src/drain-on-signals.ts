/** Options of {@link drainOnSignals}. */
export interface DrainOnSignalsOptions {
  /** Names of signals. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly string[];
  /** Ends the process: 0 after a drain, 1 when it failed, 128 + number after a second signal. @default process.exit */
  readonly exit?: (code: number) => void;
}

/** What a shell makes of a process that a signal has ended. */
const numbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

/**
 * Drains workers and closes queues when the process is asked to end, then ends it. A second signal ends it at once: what still ran is
 * claimed elsewhere when its lease is over. Give the supervisor more time than `drainTimeout` (Kubernetes: `terminationGracePeriodSeconds`).
 *
 * @example
 * const stopListening = drainOnSignals([server, queue]);
 *
 * @param what - a queue, a worker, or several of anything that is `AsyncDisposable`; in the order given, one after the other
 * @returns how to stop listening
 */
export function drainOnSignals(
  what: AsyncDisposable | readonly AsyncDisposable[],
  options: DrainOnSignalsOptions = {},
): () => void {
  const { signals = ['SIGTERM', 'SIGINT'], exit = (code) => process.exit(code) } = options;
  const all = 'length' in what ? what : [what];
  let draining = false;

  async function drain(): Promise<number> {
    try {
      for (const one of all) await one[Symbol.asyncDispose]();
      return 0;
    } catch {
      return 1;
    }
  }

  function onSignal(signal: string): void {
    if (draining) {
      exit(128 + (numbers[signal] ?? 0));
      return;
    }
    draining = true;
    void drain().then(exit);
  }

  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
}
