/** Work that is done at once when woken and otherwise every so often: polling is the promise, waking is the speed. */
export interface Loop {
  /** Asks for a turn now; during a turn, for another one after it. */
  wake(): void;
  /** Resolves when the turn under way has ended; no other begins. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  /** Milliseconds between turns when nobody wakes the loop. */
  readonly interval: number;
  /** Milliseconds that pass at least between two turns, so that one turn serves what woke the loop in the meantime. @default 0 */
  readonly gather?: number;
  readonly turn: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Starts a loop whose turns never overlap. A failed turn is reported, and the next one comes at its time. */
export function createLoop(options: LoopOptions): Loop {
  let stopped = false;
  let woken = false;
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> | undefined;
  /** Of {@link performance.now}: no turn before. */
  let notBefore = 0;

  const start = (): void => {
    clearTimeout(timer);
    woken = false;
    current = options
      .turn()
      .catch(options.onError)
      .finally(() => {
        current = undefined;
        if (stopped) return;
        notBefore = performance.now() + (options.gather ?? 0);
        if (woken) soon();
        else timer = setTimeout(start, options.interval);
      });
  };
  const soon = (): void => {
    const wait = notBefore - performance.now();
    clearTimeout(timer);
    if (wait <= 0) start();
    else timer = setTimeout(start, wait);
  };
  const wake = (): void => {
    if (stopped || (woken && !current)) return;
    woken = true;
    if (!current) soon();
  };
  timer = setTimeout(start, 0);
  return {
    wake,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
