import assert from 'node:assert/strict';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';

/** Proves a `CacheStore` and a `PeerStore`. */
export function cacheTests({ describe, it }: TestFunctions, open: OpenStore<'cache'>): void {
  describe('cache', () => {
    it('keeps bytes as they are until their time is over', () =>
      withStore(open, async ({ store: { cache }, advance }) => {
        const key = unique('cache');
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
        await cache.set(key, bytes, 1_000);
        assert.deepEqual(new Uint8Array((await cache.get(key)) ?? []), bytes);
        await advance(1_200);
        assert.equal(await cache.get(key), undefined);
      }));

    it('forgets what is deleted', () =>
      withStore(open, async ({ store: { cache } }) => {
        const key = unique('cache');
        await cache.set(key, new Uint8Array([1]), 60_000);
        await cache.delete(key);
        assert.equal(await cache.get(key), undefined);
      }));

    it('one caller gets the lock; it comes back by unlock or by time, and only from its owner', () =>
      withStore(open, async ({ store: { cache }, advance }) => {
        const key = unique('lock');
        const locks = await Promise.all(['a', 'b', 'c'].map((id) => cache.lock(key, id, 60_000)));
        assert.equal(locks.filter(Boolean).length, 1);
        const owner = ['a', 'b', 'c'][locks.indexOf(true)] as string;
        await cache.unlock(key, 'stranger');
        assert.equal(await cache.lock(key, 'd', 60_000), false);
        await cache.unlock(key, owner);
        assert.equal(await cache.lock(key, 'e', 50), true);
        await advance(80);
        assert.equal(await cache.lock(key, 'f', 50), true);
      }));
  });
}

/** Proves a `PeerStore`. */
export function peerTests({ describe, it }: TestFunctions, open: OpenStore<'peers'>): void {
  describe('peers', () => {
    it('counts who lives', () =>
      withStore(open, async ({ store: { peers }, advance }) => {
        const group = unique('group');
        assert.equal(await peers.beat(group, 'a', 60_000), 1);
        assert.equal(await peers.beat(group, 'b', 1_000), 2);
        assert.equal(await peers.beat(group, 'c', 60_000), 3);
        await advance(1_200);
        assert.equal(await peers.beat(group, 'a', 60_000), 2);
        await peers.leave(group, 'c');
        assert.equal(await peers.beat(group, 'a', 60_000), 1);
      }));
  });
}
