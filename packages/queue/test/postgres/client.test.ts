import { EventEmitter } from 'node:events';
import { startPostgres } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { openPool } from '../../src/adapters/postgres/client.ts';

test('a connection that breaks at the moment it is lent does not end the process', async () => {
  const server = await startPostgres();
  const pool = await openPool(await server.createDatabase());
  const connection = await pool.connect?.();
  // Between the pool, which listens to idle connections, and whoever borrows it.
  expect(connection).toBeInstanceOf(EventEmitter);
  (connection as unknown as EventEmitter).emit('error', new Error('terminating connection'));
  connection?.release(true);
  await pool.end();
  await server.stop();
});
