import assert from 'node:assert/strict';
import type { Hint, QueueStorage } from '../contract/index.ts';
import { eventually, type Group } from './harness.ts';

function listen(storage: QueueStorage): { readonly heard: Hint[]; stop(): void } {
  const heard: Hint[] = [];
  return { heard, stop: storage.watch((hint) => heard.push(hint)) };
}

/** Hints make waiting short; nothing depends on them. */
export const hints: Group = (test) => {
  test('the other connection hears of new jobs, of cancellations and of ends', async ({
    add,
    session,
    other,
    control,
  }) => {
    const { heard, stop } = listen(other);
    try {
      await eventually(async () => {
        await add(`a${heard.length}-${Math.random()}`);
        return heard.includes('ready');
      }, 'a hint about new jobs');
      const worker = session();
      const job = await worker.claimOne();
      await control('cancel', { ids: [job.id] });
      await eventually(() => heard.includes('cancel'), 'a hint about the cancellation');
      await worker.settle(job, { kind: 'cancelled' });
      await eventually(() => heard.includes('finished'), 'a hint about the end');
    } finally {
      stop();
    }
  });

  test('who has stopped listening hears nothing', async ({ add, storage }) => {
    const { heard, stop } = listen(storage);
    stop();
    await add('a');
    assert.deepEqual(heard, []);
  });
};
