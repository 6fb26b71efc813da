import { type PostgresServer, startPostgres } from '@millrace/test-support';
import { afterAll } from 'vitest';
import { describeProcessFaults } from '../faults/processes.ts';

let server: PostgresServer | undefined;

afterAll(() => server?.stop());

describeProcessFaults(async () => {
  server ??= await startPostgres({ own: true });
  return server.createDatabase();
});
