import { waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startKeepAliveThread } from '../../src/adapters/keep-alive-thread.ts';

const request = { session: 'session', lease: 1_000, every: 5, blockedLimit: 60_000 };

/** Cells that thread and test share. 0: how often it was asked to renew. 1: what it shall answer (0 no, 1 yes, 2 it throws). 2: 1 when it was closed. */
function counters(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(12));
}

const storePart = `
const counters = data.counters;
function renew() {
  Atomics.add(counters, 0, 1);
  if (Atomics.load(counters, 1) === 2) throw new Error('the store is out of reach');
  return Atomics.load(counters, 1) === 1;
}
function close() { Atomics.store(counters, 2, 1); }
`;

test('says when the last renewal was started that the store confirmed, and goes on when it could not', async () => {
  const shared = counters();
  const thread = startKeepAliveThread(storePart, { counters: shared }, request);
  const beats = async (answer: number): Promise<void> => {
    Atomics.store(shared, 1, answer);
    const seen = Atomics.load(shared, 0);
    await waitFor(() => Atomics.load(shared, 0) > seen + 2);
  };
  for (const refusal of [0, 2]) {
    await beats(refusal);
    expect(thread.renewedAt()).toBeUndefined();
  }
  const before = performance.now();
  await beats(1);
  const renewed = thread.renewedAt();
  expect(renewed).toBeGreaterThanOrEqual(before - request.every);
  expect(renewed).toBeLessThanOrEqual(performance.now());
  await thread.stop();
});

test('closes its connection when it is stopped', async () => {
  const shared = counters();
  const thread = startKeepAliveThread(storePart, { counters: shared }, request);
  await waitFor(() => Atomics.load(shared, 0) > 0);
  await thread.stop();
  expect(Atomics.load(shared, 2)).toBe(1);
});

test('can be stopped when the thread has failed to start', async () => {
  const thread = startKeepAliveThread(`throw new Error('no driver');`, {}, request);
  // Its end is seen by the test as by the owner: only by asking.
  await new Promise((resolve) => setTimeout(resolve, 100));
  await thread.stop();
  expect(thread.renewedAt()).toBeUndefined();
});

test('does not renew for an event loop that is blocked for too long', async () => {
  const shared = counters();
  Atomics.store(shared, 1, 1);
  const thread = startKeepAliveThread(storePart, { counters: shared }, { ...request, blockedLimit: 50 });
  await waitFor(() => thread.renewedAt() !== undefined);
  const blockedAt = performance.now();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  // Its last sign of life was given at most signOfLifeEvery before the block.
  expect((thread.renewedAt() ?? 0) - blockedAt).toBeLessThanOrEqual(50);
  await thread.stop();
});
