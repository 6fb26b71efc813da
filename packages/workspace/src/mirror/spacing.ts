import type { Clock } from '../clock.ts';
import type { Services } from '../services.ts';
import { readMirror } from './record.ts';

/** A question may be followed by the next one after so many times what its answer took: asking takes a third of the time at most. */
const PAUSE = 3;

function wait(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clock.clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/**
 * Milliseconds until the remote may be asked about a ref again: up to the manager's interval, less where answers come fast.
 * A clock that was set back must not make anybody wait for longer.
 */
export async function untilTurn({ root, clock, askIntervalMs }: Services, key: string, ref = ''): Promise<number> {
  const seen = (await readMirror(root, key))?.seen[ref];
  if (seen === undefined) return 0;
  const interval = Math.min(askIntervalMs, PAUSE * (seen.took ?? askIntervalMs));
  return Math.max(0, Math.min(seen.at + interval - clock.now(), interval));
}

/**
 * Waits until the remote may be asked about a ref again. Not under the mirror's lock, which others need for other refs.
 *
 * @throws the signal's reason when it is aborted
 */
export async function awaitTurn(
  services: Services,
  key: string,
  ref: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const left = await untilTurn(services, key, ref);
  signal?.throwIfAborted();
  if (left > 0) await wait(services.clock, left, signal);
}
