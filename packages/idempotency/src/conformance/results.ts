import assert from 'node:assert/strict';
import { asking, brief, type Case, granted, long } from './harness.ts';

/** What is kept, and for how long. */
export function results(define: Case): void {
  for (const [name, result] of [
    ['empty', ''],
    ['of many scripts', 'é操\u{1F600}"\\\u0001'],
    ['of a megabyte', 'x'.repeat(1_000_000)],
  ] as const) {
    define(`a result that is ${name} comes back as it was`, async ({ store, other, key }) => {
      const { fence } = granted(await store.begin(key, asking()));
      assert.ok(await store.complete(key, fence, result, long));
      const seen = await other.begin(key, asking());
      assert.equal(seen.status, 'existing');
      assert.equal(seen.record.state, 'done');
      assert.ok(seen.record.result === result);
    });
  }

  define('a finished record is forgotten after its ttl, and the key is new', async ({ store, other, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking()));
    await store.checkpoint(key, fence, 'created', 'id-1');
    await store.complete(key, fence, 'r', brief);
    await pass(brief);
    assert.equal(await other.read(key), undefined);
    const next = granted(await other.begin(key, asking({ fingerprint: 'fp-2' })));
    assert.deepEqual([next.attempt, next.phases, next.result], [1, {}, undefined]);
  });

  define('a phase written twice keeps the last value', async ({ store, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    await store.checkpoint(key, fence, 'a', '1');
    await store.checkpoint(key, fence, 'a', '2');
    assert.deepEqual((await store.read(key))?.phases, { a: '2' });
  });

  define('reading a key that was never used', async ({ store, key }) => {
    assert.equal(await store.read(key), undefined);
  });
}
