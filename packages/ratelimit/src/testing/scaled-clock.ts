import { type Clock, systemClock } from '../clock.ts';

/**
 * A clock that runs `factor` times faster than the real one, for simulations over real connections: give the same one to the provider and to the policies.
 */
export function scaledClock(factor: number): Clock {
  return {
    now: () => systemClock.now() * factor,
    monotonic: () => systemClock.monotonic() * factor,
    setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms / factor),
    clearTimeout: systemClock.clearTimeout,
  };
}
