import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { redisAdapter } from '../../src/redis.ts';
import { openMill } from '../faults/mill.ts';

const source = join(import.meta.dirname, '..', '..', 'src');
const copy = join(import.meta.dirname, `version-${process.pid}`);
const index = join(copy, 'adapters', 'redis', 'lua', 'index.ts');
let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis({ own: true });
});
afterAll(async () => {
  rmSync(copy, { recursive: true, force: true });
  await redis.stop();
});

/** Another version of the package: its scripts have another text, so another hash. */
async function otherVersion(find: string, put: string): Promise<typeof redisAdapter> {
  cpSync(source, copy, { recursive: true });
  const text = readFileSync(index, 'utf8');
  expect(text.split(find)).toHaveLength(2);
  writeFileSync(index, text.replace(find, put));
  const { redisAdapter: other } = (await import(join(copy, 'redis.ts'))) as { redisAdapter: typeof redisAdapter };
  return other;
}

test('two versions with one layout share a queue: each runs what the other enqueued', async () => {
  const other = await otherVersion('\\nlocal LAYOUT', '\\n-- Another version.\\nlocal LAYOUT');
  const options = { url: redis.url, onWarning: () => undefined };
  await using old = openMill(redisAdapter(options));
  await using next = openMill(other(options));
  const ids = [...(await old.enqueueAll(100, 'old')), ...(await next.enqueueAll(100, 'new'))];
  old.startWorker({ concurrency: 3 });
  next.startWorker({ concurrency: 3 });
  const ran = (): number => old.ledger.runs.size + next.ledger.runs.size;
  await expect.poll(ran, { timeout: 20_000 }).toBe(ids.length);
  expect(old.ledger.runs.size).toBeGreaterThan(0);
  expect(next.ledger.runs.size).toBeGreaterThan(0);
  expect(old.ledger.stale + next.ledger.stale).toBe(0);
});
