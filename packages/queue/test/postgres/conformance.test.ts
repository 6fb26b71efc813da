import { startPostgres } from '@millrace/test-support';
import { afterAll, describe, it } from 'vitest';
import { describeAdapter } from '../../src/conformance.ts';
import type { QueueAdapter } from '../../src/index.ts';
import { postgresAdapter } from '../../src/postgres.ts';

let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
let url = '';

function open(): QueueAdapter {
  return postgresAdapter({ url });
}

describeAdapter(
  { afterAll, describe, it },
  {
    name: 'postgres',
    create: async () => {
      server = await startPostgres();
      url = await server.createDatabase();
      return open();
    },
    createSecond: open,
    destroy: async () => server?.stop(),
  },
);
