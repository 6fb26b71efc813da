import { startPostgres } from '@millrace/test-support';
import { type OpenDatabase, openDatabase } from '../../src/db/open.ts';
import { createRun, type NewRun } from '../../src/runs/create.ts';

/** A migrated database of the test's own, on a server of its own. */
export async function testDatabase(): Promise<OpenDatabase & { readonly url: string }> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  const open = await openDatabase(url, 10, () => {});
  const close = async (): Promise<void> => {
    await open.close();
    await server[Symbol.asyncDispose]();
  };
  return { ...open, url, close, [Symbol.asyncDispose]: close };
}

export const someRun: NewRun = {
  tenantId: 'default',
  repo: 'file:///srv/app.git',
  ref: 'HEAD',
  agent: { type: 'command', command: 'true' },
  message: 'Change something',
  priority: 0,
  timeout: 60_000,
};

/** Stores a run as POST /v1/runs does. */
export async function submit(database: OpenDatabase, change: Partial<NewRun> = {}): Promise<string> {
  return (await createRun(database.db, { ...someRun, ...change })).id;
}
