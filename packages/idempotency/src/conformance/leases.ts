import assert from 'node:assert/strict';
import { asking, brief, type Case, granted, long } from './harness.ts';

/** What happens when an executor does not come back. */
export function leases(define: Case): void {
  define('a dead execution is taken over with its phases and its age', async ({ store, other, key, pass }) => {
    const first = granted(await store.begin(key, asking({ lease: brief })));
    assert.ok(await store.checkpoint(key, first.fence, 'created', 'id-1'));
    assert.ok(await store.checkpoint(key, first.fence, 'a "strange" name:', 'é'));
    await pass(brief);
    const result = await other.begin(key, asking({ owner: 'executor-2' }));
    const second = granted(result);
    assert.equal(result.status === 'acquired' && result.takenOver, true);
    assert.deepEqual(second.phases, { created: 'id-1', 'a "strange" name:': 'é' });
    assert.deepEqual([second.attempt, second.owner, second.createdAt], [2, 'executor-2', first.createdAt]);
  });

  define('an executor that was late but not replaced may still finish', async ({ store, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking({ lease: brief })));
    await pass(brief);
    assert.ok(await store.complete(key, fence, 'late', long));
    assert.equal((await store.read(key))?.result, 'late');
  });

  define('extending keeps others out', async ({ store, other, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking({ lease: brief, ttl: brief })));
    assert.ok(await store.extend(key, fence, { lease: long, ttl: long }));
    await pass(2 * brief);
    assert.equal((await other.begin(key, asking())).status, 'existing');
  });

  define('a released key is granted again, and that is no takeover', async ({ store, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    await store.checkpoint(key, fence, 'created', 'id-1');
    assert.ok(await store.release(key, fence, 'retryable', long));
    const again = await store.begin(key, asking());
    assert.deepEqual([granted(again).attempt, granted(again).phases], [2, { created: 'id-1' }]);
    assert.equal(again.status === 'acquired' && again.takenOver, false);
  });

  define("under 'park' a dead execution is parked by the next call", async ({ store, other, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking({ lease: brief, onExpiredLease: 'park' })));
    await pass(brief);
    // The policy that counts is the one it was begun under.
    const seen = await other.begin(key, asking({ onExpiredLease: 'takeover' }));
    assert.deepEqual([seen.status, seen.record.state, seen.record.fence], ['existing', 'parked', fence]);
    assert.equal(await store.complete(key, fence, 'late', long), false);
  });

  define('what is parked, or must be, outlives its ttl', async ({ store, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking({ lease: brief, ttl: 1, onExpiredLease: 'park' })));
    await pass(brief + 1);
    assert.equal((await store.read(key))?.state, 'running');
    assert.equal((await store.begin(key, asking())).record.state, 'parked');
    await pass(brief);
    assert.equal((await store.read(key))?.fence, fence);
  });

  define('a parked record moves only by resolve, under its own fence', async ({ store, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    assert.ok(await store.release(key, fence, 'parked', long));
    assert.equal((await store.begin(key, asking())).record.state, 'parked');
    assert.equal(await store.resolve(key, fence + 1, { state: 'retryable', ttl: long }), false);
    assert.ok(await store.resolve(key, fence, { state: 'done', result: 'by hand', ttl: long }));
    const seen = await store.begin(key, asking());
    assert.deepEqual([seen.status, seen.record.state, seen.record.result], ['existing', 'done', 'by hand']);
    assert.equal(await store.resolve(key, fence, { state: 'retryable', ttl: long }), false);
  });

  define('a parked record may be given back for another try', async ({ store, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    await store.release(key, fence, 'parked', long);
    assert.ok(await store.resolve(key, fence, { state: 'retryable', ttl: long }));
    assert.ok(granted(await store.begin(key, asking())).fence > fence);
  });
}
