import { readdir, readFile } from 'node:fs/promises';

/** The variable that every process of a run inherits. */
export const runMarker = 'MILLRACE_RUN_ID';

/**
 * Kills what left the process group (a daemon made by `setsid`) but still carries the run's id in its environment.
 * Only Linux shows other processes' environments; elsewhere the process group is the limit. Resolves with the number.
 */
export async function killMarked(runId: string): Promise<number> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.map(Number).filter((pid) => pid > 1 && pid !== process.pid);
  const found = await Promise.all(pids.map((pid) => isMarked(pid, runId)));
  let killed = 0;
  for (const pid of pids.filter((_, index) => found[index])) killed += kill(pid) ? 1 : 0;
  return killed;
}

async function isMarked(pid: number, runId: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  return environment.split('\0').includes(`${runMarker}=${runId}`);
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}
