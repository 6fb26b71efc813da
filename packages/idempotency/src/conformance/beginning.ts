import assert from 'node:assert/strict';
import { asking, brief, type Case, granted, long } from './harness.ts';

/** Who gets a key, and what the others are told. */
export function beginning(define: Case): void {
  define('the first call is granted the key', async ({ store, key }) => {
    const result = await store.begin(key, asking());
    const record = granted(result);
    assert.equal(result.status === 'acquired' && result.takenOver, false);
    assert.deepEqual(
      { ...key, state: record.state, attempt: record.attempt, phases: record.phases, result: record.result },
      { ...key, state: 'running', attempt: 1, phases: {}, result: undefined },
    );
    assert.equal(record.fingerprint, 'fp-1');
    assert.equal(record.owner, 'executor-1');
    assert.ok(record.fence > 0 && Number.isSafeInteger(record.fence), 'a fence is a positive safe integer');
    assert.ok(Math.abs(record.leaseUntil - (result.now + long)) < 1000, 'the lease ends `lease` after now');
    assert.ok(record.expiresAt >= record.leaseUntil + long - 1000, 'the ttl follows the lease');
  });

  define('the second call sees the first', async ({ store, other, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    const second = await other.begin(key, asking({ owner: 'executor-2' }));
    assert.equal(second.status, 'existing');
    assert.deepEqual([second.record.state, second.record.fence, second.record.owner], ['running', fence, 'executor-1']);
  });

  for (const state of ['running', 'retryable', 'done', 'parked'] as const) {
    define(`another fingerprint is a mismatch while ${state}`, async ({ store, other, key }) => {
      const { fence } = granted(await store.begin(key, asking()));
      if (state === 'done') assert.ok(await store.complete(key, fence, 'r', long));
      if (state === 'retryable' || state === 'parked') assert.ok(await store.release(key, fence, state, long));
      const result = await other.begin(key, asking({ fingerprint: 'fp-2' }));
      assert.equal(result.status, 'mismatch');
      assert.equal(result.record.fingerprint, 'fp-1');
      assert.equal((await store.read(key))?.state, state, 'nothing has changed');
    });
  }

  define('another fingerprint is a mismatch also after the lease ran out', async ({ store, key, pass }) => {
    granted(await store.begin(key, asking({ lease: brief })));
    await pass(brief);
    assert.equal((await store.begin(key, asking({ fingerprint: 'fp-2' }))).status, 'mismatch');
  });

  define('tenant, operation and key are all part of the name', async ({ store, key }) => {
    granted(await store.begin(key, asking()));
    granted(await store.begin({ ...key, tenant: `${key.tenant}-2` }, asking()));
    granted(await store.begin({ ...key, operation: 'POST /other' }, asking()));
    granted(await store.begin({ ...key, key: 'K:1 *%"[?]' }, asking()));
    granted(await store.begin({ tenant: `${key.tenant}:a`, operation: 'b', key: 'c' }, asking()));
    granted(await store.begin({ tenant: key.tenant, operation: 'a:b', key: 'c' }, asking()));
  });

  define('names of 255 characters in any script are kept apart', async ({ store, key }) => {
    const operation = '操'.repeat(254);
    granted(await store.begin({ ...key, operation: `${operation}作` }, asking()));
    granted(await store.begin({ ...key, operation: `${operation}業` }, asking()));
    const kept = await store.read({ ...key, operation: `${operation}作` });
    assert.equal(kept?.operation, `${operation}作`);
  });
}
