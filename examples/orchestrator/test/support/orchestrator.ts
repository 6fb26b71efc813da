import { temporaryDirectory } from '@millrace/test-support';
import { type Client, createClient } from '../../src/client/client.ts';
import { readConfig } from '../../src/config.ts';
import { type Orchestrator, startOrchestrator } from '../../src/server.ts';
import { makeOrigin } from './origin.ts';

/** An orchestrator in this very process, on data and an origin of its own. */
export interface TestOrchestrator extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  readonly directory: string;
  readonly origin: string;
  readonly server: Orchestrator;
}

export async function startTestOrchestrator(env: Readonly<Record<string, string>> = {}): Promise<TestOrchestrator> {
  const directory = await temporaryDirectory('orchestrator');
  const origin = await makeOrigin(directory.path);
  const variables = {
    PORT: '0',
    DATA_DIR: `${directory.path}/data`,
    POLL_INTERVAL: '50ms',
    LOG_LEVEL: 'error',
    ...env,
  };
  const server = await startOrchestrator(readConfig(variables));
  const close = async (): Promise<void> => {
    await server.close();
    await directory.remove();
  };
  const client = createClient({ url: server.url });
  return { url: server.url, client, directory: directory.path, origin, server, [Symbol.asyncDispose]: close };
}
