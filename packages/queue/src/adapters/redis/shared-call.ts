/**
 * One call for many callers, where an answer holds for everything that happened before the call was made: who comes while one is under way
 * shares the next, since the one under way may have been made too early for it.
 */
export function sharedCall<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;

  function start(): Promise<T> {
    next = undefined;
    const started = call();
    const over = (): void => {
      if (running === started) running = undefined;
    };
    running = started;
    started.then(over, over);
    return started;
  }

  return () => {
    if (running === undefined) return start();
    next ??= running.then(start, start);
    return next;
  };
}
