import type { Clock } from '../clock.ts';
import type { Services } from '../services.ts';
import { readMirror } from './record.ts';

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
 * Waits until the remote may be asked about a ref again. The caller holds the mirror's lock: whoever comes meanwhile
 * stands in line, and finds the answer that this one is about to get.
 *
 * @throws the signal's reason when it is aborted
 */
export async function awaitTurn(
  services: Services,
  key: string,
  ref: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { clock, root, askIntervalMs } = services;
  const last = (await readMirror(root, key))?.seen[ref ?? '']?.at;
  if (last === undefined) return;
  const left = last + askIntervalMs - clock.now();
  signal?.throwIfAborted();
  // A clock that was set back must not make anybody wait for longer.
  if (left > 0) await wait(clock, Math.min(left, askIntervalMs), signal);
}
