/** What has to be closed when the program ends, newest first, so that nothing is closed under what still uses it. */
export interface Closing {
  add(name: string, close: () => unknown): void;
  /** Closes everything, also when something fails on the way. Later calls wait for the first. */
  run(): Promise<void>;
}

export function createClosing(onError: (name: string, error: unknown) => void): Closing {
  const entries: { readonly name: string; readonly close: () => unknown }[] = [];
  let running: Promise<void> | undefined;

  const closeAll = async (): Promise<void> => {
    for (let entry = entries.pop(); entry; entry = entries.pop()) {
      try {
        await entry.close();
      } catch (error) {
        onError(entry.name, error);
      }
    }
  };
  return {
    add(name, close) {
      entries.push({ name, close });
    },
    run() {
      running ??= closeAll();
      return running;
    },
  };
}
