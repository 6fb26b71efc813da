import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The test process's own guardian and the folder that vanishes with it. */
export interface Guardian {
  readonly process: ChildProcess;
  /** Everything that this test process leaves on disk is below this folder. */
  readonly folder: string;
}

/** What the guardian answers. */
export type GuardianMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'started'; readonly id: string; readonly pid: number }
  | { readonly type: 'failed'; readonly id: string; readonly message: string }
  | { readonly type: 'exited'; readonly id: string; readonly code: number | null; readonly signal: string | null };

let current: Promise<Guardian> | undefined;

/** The guardian of this process; it is started at the first call. */
export function guardian(): Promise<Guardian> {
  current ??= startGuardian();
  return current;
}

async function startGuardian(): Promise<Guardian> {
  const folder = await mkdtemp(join(tmpdir(), `millrace-test-${randomUUID().slice(0, 8)}-`));
  // Servers may run as another user than the tests (PostgreSQL refuses root): they must be able to pass through.
  await chmod(folder, 0o755);
  const child = fork(fileURLToPath(new URL('./guardian.mjs', import.meta.url)), [folder], {
    detached: true,
    execArgv: [],
    env: withoutNodeOptions(process.env),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  // Neither the guardian nor its channel keeps a finished test process alive.
  child.unref();
  child.channel?.unref();
  return { process: child, folder };
}

/** Loaders and flags given to the tests are not for the guardian nor for the servers. */
function withoutNodeOptions({ NODE_OPTIONS: _, ...env }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return env;
}
