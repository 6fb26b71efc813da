import { type PostgresServer, startPostgres } from '@millrace/test-support';
import { afterAll } from 'vitest';
import { describeLinkFaults } from '../faults/links.ts';

let server: PostgresServer | undefined;

afterAll(() => server?.stop());

describeLinkFaults(async () => {
  server ??= await startPostgres({ own: true });
  return server.createDatabase();
});
