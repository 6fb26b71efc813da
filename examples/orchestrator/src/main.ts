import { banner } from './banner.ts';
import { ConfigError, readConfig } from './config.ts';
import { startOrchestrator } from './server.ts';

const begin = performance.now();

try {
  const config = readConfig(process.env);
  const server = await startOrchestrator(config);
  process.stdout.write(banner(config, server.url, performance.now() - begin));
  stopOnSignals(() => server.close());
} catch (error) {
  process.stderr.write(`millrace: ${messageOf(error)}\n`);
  process.exit(1);
}

/** What the operator can mend is one line; what is our own defect keeps its stack. */
function messageOf(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  const { code, message, stack } = error as { code?: unknown; message?: string; stack?: string };
  return typeof code === 'string' && message ? message : (stack ?? String(error));
}

/** The first signal drains, the second one does not wait. */
function stopOnSignals(close: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      process.stdout.write('Draining; a second signal stops at once.\n');
      close().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}
