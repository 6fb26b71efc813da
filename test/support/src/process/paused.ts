import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { waitFor } from '../wait.ts';

/** Waits until the kernel has stopped the process (or let it go on): a signal is only asked for when its sender returns. */
export async function untilPaused(pid: number, paused: boolean): Promise<void> {
  await waitFor(async () => /^[Tt]/.test(await stateOf(pid)) === paused);
}

/** The state letter of a process: `T` while it is stopped by a signal. */
async function stateOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name before the state is in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2);
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'state=', '-p', `${pid}`]);
  return stdout.trim();
}
