import { memoryStore, type OnStoreDown, rateLimit } from '@millrace/ratelimit';
import { manualClock } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';

/** A store of four live processes that stops answering on command. */
function setup(onStoreDown: OnStoreDown) {
  const clock = manualClock();
  const store = memoryStore({ clock });
  let hangs = false;
  const rates = new Proxy(store.rates, {
    get: (target, name) => {
      const operation = Reflect.get(target, name) as (...args: never[]) => unknown;
      return async (...args: never[]) => (hangs ? new Promise(() => {}) : operation.apply(target, args));
    },
  });
  for (const id of ['b', 'c', 'd']) void store.peers.beat('rates/rateLimit', id, 60_000);
  const limits = [{ limit: 400, per: '1h', burst: 40 }] as const;
  const limit = rateLimit({ clock, store: { ...store, rates }, limits, maxWait: 0, onStoreDown });
  const hang = (): void => {
    hangs = true;
  };
  return { clock, limit, hang };
}

describe('a store that does not answer', () => {
  it.each(['open', 'closed', 'share'] as const)(
    'is decided about after 50 ms, not before, and then at once: %s',
    async (mode) => {
      const { clock, limit, hang } = setup(mode);
      await limit.acquire();
      hang();
      const outcomes: unknown[] = [];
      const ask = (): void =>
        void limit.acquire().then(
          () => outcomes.push('admitted'),
          (error: { code: string }) => outcomes.push(error.code),
        );
      ask();
      await clock.advance(49);
      expect(outcomes).toEqual([]);
      await clock.advance(1);
      const expected = mode === 'closed' ? 'ERR_STORE_UNAVAILABLE' : 'admitted';
      expect(outcomes).toEqual([expected]);
      for (let i = 0; i < 29; i++) ask();
      await clock.advance(0);
      const admitted = { open: 30, closed: 0, share: 10 }[mode];
      expect(outcomes.filter((outcome) => outcome === 'admitted')).toHaveLength(admitted);
      expect(outcomes).toHaveLength(30);
    },
  );
});
