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

/** The leases of the suite last 400 ms of the database's time: on a machine that stalls they run out under a test, which then gets another try. */
const patient = (name: string, run: () => Promise<void>): void => it(name, { retry: 2 }, run);

describeAdapter(
  { afterAll, describe, it: patient },
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
