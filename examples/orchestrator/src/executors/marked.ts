import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** The variable that every process of a run inherits. */
export const runMarker = 'MILLRACE_RUN_ID';

/** Milliseconds between two looks at all processes of this machine, however many runs end in the meantime. */
const lookInterval = 200;

/** What the next look is to kill; runs that end while it waits for its time join it. */
let next: { readonly runIds: Set<string>; readonly done: Promise<void> } | undefined;
let lastLook = Number.NEGATIVE_INFINITY;
let looking: Promise<void> = Promise.resolve();

/**
 * Kills what left the process group (a daemon made by `setsid`) but still carries the run's id in its environment.
 * Only Linux shows other processes' environments; elsewhere the process group is the limit.
 */
export async function killMarked(runId: string): Promise<void> {
  next ??= planLook();
  next.runIds.add(runId);
  await next.done;
}

/** A look costs a read per process of the machine, so runs that end together share one that begins after them. */
function planLook(): NonNullable<typeof next> {
  const runIds = new Set<string>();
  const look = async (): Promise<void> => {
    await looking;
    await sleep(Math.max(0, lastLook + lookInterval - performance.now()));
    next = undefined;
    lastLook = performance.now();
    looking = killAll(runIds);
    await looking;
  };
  return { runIds, done: look() };
}

async function killAll(runIds: ReadonlySet<string>): Promise<void> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  for (const pid of pids) if (runIds.has(await markOf(pid))) kill(pid);
}

async function markOf(pid: number): Promise<string> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  const at = `\0${environment}`.indexOf(`\0${runMarker}=`);
  return at < 0 ? '' : (environment.slice(at + runMarker.length + 1).split('\0', 1)[0] ?? '');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
