import { join } from 'node:path';
import { temporaryDirectory } from '@millrace/test-support';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { createIdempotency } from '../../src/index.ts';
import { type SqliteDatabase, sqliteStore } from '../../src/sqlite.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory[Symbol.asyncDispose]());

storeConformance(
  { describe, test },
  { name: 'sqlite', open: () => sqliteStore({ path: join(directory.path, 'keys.db') }) },
);

describe('sqliteStore', () => {
  test('takes an open database, which stays open', async () => {
    const database = new Database(join(directory.path, 'own.db')) as unknown as SqliteDatabase;
    const idempotency = createIdempotency({ store: sqliteStore({ database }) });
    const request = { tenant: 'acme', operation: 'order', key: 'k1' };
    await idempotency.run(request, () => 1);
    await idempotency.close();
    expect(database.prepare('SELECT count(*) AS n FROM millrace_idempotency').get()).toMatchObject({ n: 1 });
    database.close();
  });

  test('says what to pass', () => {
    expect(() => sqliteStore({})).toThrow('either `path` or `database`');
  });
});
