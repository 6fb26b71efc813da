import assert from 'node:assert/strict';
import { failure, type Group } from './harness.ts';

/** Failures are counted and remembered. */
export const retry: Group = (test) => {
  test('attempts count up, failures are kept in order', async ({ add, session, view }) => {
    await add({ id: 'a', maxAttempts: 5 });
    const worker = session();
    for (const attempt of [1, 2, 3]) {
      const job = await worker.claimOne();
      assert.equal(job.attempt, attempt);
      await worker.settle(job, { kind: 'retry', delay: 0, failure: failure(`number ${attempt}`, attempt) });
    }
    const job = await view('a');
    assert.equal(job?.attempt, 3);
    assert.deepEqual(
      job?.failures.map(({ message }) => message),
      ['number 1', 'number 2', 'number 3'],
    );
  });

  test('the last ten failures are kept', async ({ add, session, view }) => {
    await add({ id: 'a', maxAttempts: 50 });
    const worker = session();
    for (let attempt = 1; attempt <= 13; attempt += 1) {
      await worker.settle(await worker.claimOne(), {
        kind: 'retry',
        delay: 0,
        failure: failure(`f${attempt}`, attempt),
      });
    }
    const messages = (await view('a'))?.failures.map(({ message }) => message);
    assert.deepEqual(messages, ['f4', 'f5', 'f6', 'f7', 'f8', 'f9', 'f10', 'f11', 'f12', 'f13']);
  });

  test('releasing costs no attempt, however often', async ({ add, session }) => {
    await add({ id: 'a', maxAttempts: 1 });
    const worker = session();
    for (let turn = 0; turn < 5; turn += 1) await worker.settle(await worker.claimOne(), { kind: 'release' });
    assert.equal((await worker.claimOne()).attempt, 1);
  });

  test('progress and log references are kept with the job', async ({ add, session, view }) => {
    await add('a');
    const worker = session();
    const { fence } = await worker.claimOne();
    await worker.exchange({ progress: [{ jobId: 'a', fence, value: '{"done":1}', logs: ['log/1'] }] });
    await worker.exchange({ progress: [{ jobId: 'a', fence, value: '{"done":2}', logs: ['log/2', 'log/3'] }] });
    const job = await view('a');
    assert.equal(job?.progress, '{"done":2}');
    assert.deepEqual(job?.logs, ['log/1', 'log/2', 'log/3']);
  });

  test('the last hundred log references are kept', async ({ add, session, view }) => {
    await add('a');
    const worker = session();
    const { fence } = await worker.claimOne();
    const logs = Array.from({ length: 130 }, (_, n) => `log/${n}`);
    await worker.exchange({ progress: [{ jobId: 'a', fence, logs: logs.slice(0, 60) }] });
    await worker.exchange({ progress: [{ jobId: 'a', fence, logs: logs.slice(60) }] });
    assert.deepEqual((await view('a'))?.logs, logs.slice(30));
  });

  test('a result is kept as long as it was asked for', async ({ add, session, advance, view }) => {
    await add({ id: 'a', keepResult: 300 }, 'b');
    const worker = session();
    for (const job of await worker.claim(2)) await worker.settle(job, { kind: 'ack', result: '"done"' });
    assert.equal((await view('a'))?.result, '"done"');
    assert.equal((await view('a'))?.state, 'succeeded');
    assert.equal(await view('b'), undefined);
    await advance(400);
    await session().exchange();
    assert.equal(await view('a'), undefined);
  });
};
