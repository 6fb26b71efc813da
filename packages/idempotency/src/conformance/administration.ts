import assert from 'node:assert/strict';
import { asking, brief, type Case, granted, long } from './harness.ts';

/** Listing, erasure, sweeping. */
export function administration(define: Case): void {
  define('lists by tenant and state, bounded', async ({ store, key }) => {
    for (const name of ['a', 'b', 'c', 'd']) {
      const { fence } = granted(await store.begin({ ...key, key: name }, asking()));
      if (name !== 'a') await store.release({ ...key, key: name }, fence, 'parked', long);
    }
    const { tenant } = key;
    const names = (records: readonly { readonly key: string }[]) => records.map((record) => record.key).sort();
    assert.deepEqual(names(await store.list({ tenant, limit: 100 })), ['a', 'b', 'c', 'd']);
    assert.deepEqual(names(await store.list({ tenant, state: 'parked', limit: 100 })), ['b', 'c', 'd']);
    assert.equal((await store.list({ tenant, state: 'parked', limit: 2 })).length, 2);
    assert.deepEqual(await store.list({ tenant: `${tenant}-nobody`, limit: 100 }), []);
  });

  define('forgets a tenant and nobody else', async ({ store, key }) => {
    const neighbour = { ...key, tenant: `${key.tenant}x` };
    const { fence } = granted(await store.begin(key, asking()));
    granted(await store.begin({ ...key, key: 'b' }, asking()));
    granted(await store.begin(neighbour, asking()));
    assert.equal(await store.forget(key.tenant), 2);
    assert.equal(await store.read(key), undefined);
    assert.equal(await store.complete(key, fence, 'late', long), false);
    assert.equal((await store.read(neighbour))?.state, 'running');
  });

  define('a sweep deletes what has expired and nothing else', async ({ store, key, pass }) => {
    const finish = async (name: string, ttl: number): Promise<void> => {
      const { fence } = granted(await store.begin({ ...key, key: name }, asking()));
      await store.complete({ ...key, key: name }, fence, 'r', ttl);
    };
    for (const name of ['a', 'b', 'c']) await finish(name, brief);
    await finish('kept', long);
    granted(await store.begin({ ...key, key: 'running' }, asking()));
    await pass(brief);
    for (let swept = 2; swept >= 2; ) swept = (await store.sweep(2)).deleted;
    const left = await store.list({ tenant: key.tenant, limit: 100 });
    assert.deepEqual(left.map((record) => record.key).sort(), ['kept', 'running']);
  });

  define('a sweep parks dead executions of operations that park', async ({ store, key, pass }) => {
    const { fence } = granted(await store.begin(key, asking({ lease: brief, ttl: 1, onExpiredLease: 'park' })));
    granted(await store.begin({ ...key, key: 'alive' }, asking({ onExpiredLease: 'park' })));
    await pass(brief + 1);
    assert.ok((await store.sweep(1000)).parked >= 1);
    const record = await store.read(key);
    assert.deepEqual([record?.state, record?.fence], ['parked', fence]);
    assert.equal((await store.read({ ...key, key: 'alive' }))?.state, 'running');
  });
}
