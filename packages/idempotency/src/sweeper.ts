import type { Admin } from './admin.ts';
import type { Core } from './core.ts';
import { type Duration, toMilliseconds } from './duration.ts';

/** Deletes expired records from time to time, at moments that differ between processes. Never keeps a process alive. */
export function startSweeper<Tx>(core: Core<Tx>, admin: Admin, interval: Duration | false): { stop(): void } {
  if (interval === false) return { stop: () => undefined };
  const period = toMilliseconds(interval, 'sweepInterval');
  let timer: unknown;
  let stopped = false;
  const sweep = async (): Promise<void> => {
    // An unreachable store is reported by the guard; the next round tries again.
    await admin.sweep().catch(() => undefined);
    if (!stopped) schedule();
  };
  const schedule = (): void => {
    timer = core.clock.setTimeout(() => void sweep(), period * (0.75 + core.random() / 2));
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
      timer.unref();
    }
  };
  schedule();
  return {
    stop() {
      stopped = true;
      core.clock.clearTimeout(timer);
    },
  };
}
