import { readFile } from 'node:fs/promises';
import { systemClock } from '../clock.ts';
import { runProcess } from '../process.ts';

/** Runs a small system program. */
export async function runTool(
  command: string,
  args: readonly string[],
): Promise<{ readonly ok: boolean; readonly words: string }> {
  try {
    const { exitCode, stderr } = await runProcess({
      command,
      args,
      cwd: '/',
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      timeoutMs: 30_000,
      maxOutput: 4096,
      clock: systemClock,
    });
    return { ok: exitCode === 0, words: stderr.toString('utf8').trim() };
  } catch (error) {
    return { ok: false, words: (error as Error).message };
  }
}

/** Mount points at or below a folder, deepest first. */
export async function mountsBelow(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const points = table.split('\n').map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '));
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).reverse();
}

/** Unmounts all at or below a folder; a busy one is detached, so that it goes with its last user. */
export async function unmountBelow(folder: string): Promise<void> {
  for (const point of await mountsBelow(folder)) {
    if (!(await runTool('umount', ['--', point])).ok) await runTool('umount', ['--lazy', '--', point]);
  }
}
