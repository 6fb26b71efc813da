import type { Clock } from './clock.ts';
import type { QueueAdapter, QueueStorage } from './contract/index.ts';
import { QueueClosedError, StoreUnavailableError } from './errors.ts';

/** The storage of a queue, opened at its first use and again after a failure to open. */
export interface Opened {
  readonly queue: string;
  /** @throws QueueClosedError after `close()` */
  storage(): Promise<QueueStorage>;
  /** Runs `work` on the storage; stops waiting when the signal aborts or `timeout` milliseconds have passed (the store may still carry it out). */
  call<T>(
    work: (storage: QueueStorage) => Promise<T>,
    options?: { readonly signal?: AbortSignal; readonly timeout?: number },
  ): Promise<T>;
  close(): Promise<void>;
}

/** How the storage is found. */
export interface OpenOptions {
  readonly queue: string;
  readonly adapter: () => Promise<QueueAdapter>;
  /** The adapter was made for this queue and is closed with it. */
  readonly owned: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Runs once on the fresh storage. */
  readonly prepare: (storage: QueueStorage) => Promise<void>;
}

/** Milliseconds that a call for people may take. */
const defaultTimeout = 30_000;

/** Creates the holder of a storage; opens nothing yet. */
export function createOpened(options: OpenOptions): Opened {
  const { queue, clock } = options;
  let opening: Promise<QueueStorage> | undefined;
  let adapter: QueueAdapter | undefined;
  let closed = false;

  async function open(): Promise<QueueStorage> {
    const fresh = await options.adapter();
    let storage: QueueStorage | undefined;
    try {
      storage = await fresh.open({ queue, clock, random: options.random });
      await options.prepare(storage);
    } catch (error) {
      // The next try makes an adapter of its own: what this one has opened would be left behind. Why it failed is what counts.
      await storage?.close().catch(() => undefined);
      if (options.owned) await fresh.close().catch(() => undefined);
      throw error;
    }
    adapter = fresh;
    return storage;
  }

  function storage(): Promise<QueueStorage> {
    if (closed) return Promise.reject(new QueueClosedError(queue));
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  }

  return {
    queue,
    storage,
    call: async (work, { signal, timeout = defaultTimeout } = {}) => {
      signal?.throwIfAborted();
      return bounded(clock, storage().then(work), timeout, signal);
    },
    close: async () => {
      if (closed) return;
      closed = true;
      const opened = await opening?.catch(() => undefined);
      await opened?.close();
      if (options.owned) await adapter?.close();
    },
  };
}

/** Waits for `promise` at most `timeout` milliseconds, or until the signal aborts. Leaves no timer and no listener. */
function bounded<T>(clock: Clock, promise: Promise<T>, timeout: number, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => settle(() => reject(signal?.reason));
    const timer = clock.setTimeout(() => {
      settle(() => reject(new StoreUnavailableError(`The store has not answered within ${timeout} ms.`)));
    }, timeout);
    const settle = (how: () => void): void => {
      clock.clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      how();
    };
    signal?.addEventListener('abort', stop, { once: true });
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
