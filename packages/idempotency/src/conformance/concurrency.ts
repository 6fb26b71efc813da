import assert from 'node:assert/strict';
import { asking, brief, type Case, granted, long } from './harness.ts';

/** Many callers at the same moment. */
export function concurrency(define: Case): void {
  define('of 200 concurrent calls one is granted the key', async ({ store, other, key }) => {
    const calls = Array.from({ length: 200 }, (_, index) => (index % 2 ? store : other).begin(key, asking()));
    const answers = await Promise.all(calls);
    assert.equal(answers.filter(({ status }) => status === 'acquired').length, 1);
    assert.equal(answers.filter(({ status }) => status === 'existing').length, 199);
  });

  define('of 100 concurrent takeovers one succeeds', async ({ store, other, key, pass }) => {
    granted(await store.begin(key, asking({ lease: brief })));
    await pass(brief);
    const calls = Array.from({ length: 100 }, (_, index) => (index % 2 ? store : other).begin(key, asking()));
    const answers = await Promise.all(calls);
    assert.equal(answers.filter(({ status }) => status === 'acquired').length, 1);
  });

  define('of 50 concurrent completions under one fence one succeeds', async ({ store, other, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    const calls = Array.from({ length: 50 }, (_, index) =>
      (index % 2 ? store : other).complete(key, fence, `r${index}`, long),
    );
    const winners = (await Promise.all(calls)).flatMap((won, index) => (won ? [index] : []));
    assert.equal(winners.length, 1);
    assert.equal((await store.read(key))?.result, `r${winners[0]}`);
  });

  define('concurrent checkpoints of different phases are all kept', async ({ store, other, key }) => {
    const { fence } = granted(await store.begin(key, asking()));
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 ? store : other).checkpoint(key, fence, `p${index}`, 'v')),
    );
    assert.equal(Object.keys((await store.read(key))?.phases ?? {}).length, 20);
  });
}
