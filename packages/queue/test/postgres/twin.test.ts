import { startPostgres } from '@millrace/test-support';
import { afterAll, beforeAll, test } from 'vitest';
import type { QueueAdapter } from '../../src/index.ts';
import { postgresAdapter } from '../../src/postgres.ts';
import { compareWithEngine } from '../twin/histories.ts';

let server: Awaited<ReturnType<typeof startPostgres>>;
let adapter: QueueAdapter;

beforeAll(async () => {
  server = await startPostgres();
  adapter = postgresAdapter({ url: await server.createDatabase() });
});
afterAll(async () => {
  await adapter.close();
  await server.stop();
});

test('the functions do what the engine does, over random histories', { timeout: 600_000 }, () =>
  compareWithEngine(adapter),
);
