import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startKeepAliveThread } from '../../src/adapters/keep-alive-thread.ts';
import { storePart } from '../../src/adapters/redis/keep-alive.ts';

/** Stands in for ioredis: notes when it was loaded, and answers every renewal. */
const client = `
const { workerData } = require('node:worker_threads');
Atomics.store(workerData.loadedAt, 0, process.hrtime.bigint());
exports.Redis = class {
  on() {}
  disconnect() {}
  eval() { return Promise.resolve(1); }
};
`;

test('the client is loaded half way to the first renewal, not beside the first jobs, and the first renewal has it', async () => {
  await using folder = await temporaryDirectory();
  const ioredis = join(folder.path, 'client.cjs');
  await writeFile(ioredis, client);
  const loadedAt = new BigInt64Array(new SharedArrayBuffer(8));
  const every = 400;
  const startedAt = process.hrtime.bigint();
  const data = { ioredis, loadedAt, options: {}, prefixes: ['p'], script: '' };
  const thread = startKeepAliveThread(storePart, data, { session: 's', lease: 1_200, every, blockedLimit: 60_000 });
  await expect.poll(() => thread.renewedAt(), { timeout: 20_000 }).toBeDefined();
  const loadedAfter = Number(Atomics.load(loadedAt, 0) - startedAt) / 1e6;
  const renewedAfter =
    (thread.renewedAt() ?? 0) - performance.now() + Number(process.hrtime.bigint() - startedAt) / 1e6;
  // Timers ring up to a millisecond early.
  expect(loadedAfter).toBeGreaterThanOrEqual(every / 2 - 2);
  expect(renewedAfter).toBeGreaterThan(loadedAfter);
  await thread.stop();
});
