import assert from 'node:assert/strict';
import type { RecordKey } from '../record.ts';
import { asking, brief, type Case, granted, long, type TestedStore } from './harness.ts';

/** Everything an executor can write. */
const writes: Readonly<Record<string, (store: TestedStore, key: RecordKey, fence: number) => Promise<boolean>>> = {
  extend: (store, key, fence) => store.extend(key, fence, { lease: long, ttl: long }),
  checkpoint: (store, key, fence) => store.checkpoint(key, fence, 'zombie', 'z'),
  complete: (store, key, fence) => store.complete(key, fence, 'zombie', long),
  'release to retryable': (store, key, fence) => store.release(key, fence, 'retryable', long),
  'release to parked': (store, key, fence) => store.release(key, fence, 'parked', long),
};

/** A stale executor writes nothing. */
export function fencing(define: Case): void {
  define('fences grow over takeovers, releases and expiry', async ({ store, key, pass }) => {
    const fences: number[] = [];
    fences.push(granted(await store.begin(key, asking({ lease: brief }))).fence);
    await pass(brief);
    fences.push(granted(await store.begin(key, asking())).fence);
    await store.release(key, fences[1] as number, 'retryable', long);
    fences.push(granted(await store.begin(key, asking())).fence);
    await store.complete(key, fences[2] as number, 'r', brief);
    await pass(brief);
    fences.push(granted(await store.begin(key, asking())).fence);
    assert.deepEqual(
      [...new Set(fences)].sort((a, b) => a - b),
      fences,
    );
  });

  for (const [name, write] of Object.entries(writes)) {
    define(`${name} by a zombie has no effect while another executes`, async ({ store, other, key, pass }) => {
      const zombie = granted(await store.begin(key, asking({ lease: brief }))).fence;
      await pass(brief);
      granted(await other.begin(key, asking({ owner: 'executor-2' })));
      const before = await store.read(key);
      assert.equal(await write(store, key, zombie), false);
      assert.deepEqual(await store.read(key), before);
    });

    define(`${name} by a zombie has no effect on a finished record`, async ({ store, other, key, pass }) => {
      const zombie = granted(await store.begin(key, asking({ lease: brief }))).fence;
      await pass(brief);
      const live = granted(await other.begin(key, asking())).fence;
      assert.ok(await other.complete(key, live, 'live', long));
      assert.equal(await write(store, key, zombie), false);
      assert.equal((await store.read(key))?.result, 'live');
    });

    define(`${name} after the end has no effect, also with the last fence`, async ({ store, key }) => {
      const { fence } = granted(await store.begin(key, asking()));
      assert.ok(await store.complete(key, fence, 'first', long));
      assert.equal(await write(store, key, fence), false);
      assert.equal((await store.read(key))?.result, 'first');
    });

    define(
      `${name} by a zombie of a forgotten record has no effect on its successor`,
      async ({ store, other, key, pass }) => {
        const zombie = granted(await store.begin(key, asking({ lease: brief, ttl: 1 }))).fence;
        await pass(brief + 1);
        await store.sweep(1000);
        granted(await other.begin(key, asking()));
        assert.equal(await write(store, key, zombie), false);
      },
    );

    define(`${name} on a record that does not exist has no effect`, async ({ store, key }) => {
      assert.equal(await write(store, key, 1), false);
      assert.equal(await store.read(key), undefined);
    });
  }
}
