import { readFile } from 'node:fs/promises';
import { systemClock } from '../clock.ts';
import { runProcess } from '../process.ts';

/** What a small system program answered. */
export interface ToolAnswer {
  readonly ok: boolean;
  /** Its complaints. */
  readonly words: string;
  /** Its standard output. */
  readonly output: string;
}

/** Runs a small system program. */
export async function runTool(command: string, args: readonly string[]): Promise<ToolAnswer> {
  try {
    const { exitCode, stdout, stderr } = await runProcess({
      command,
      args,
      cwd: '/',
      env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      timeoutMs: 30_000,
      maxOutput: 65_536,
      clock: systemClock,
    });
    return { ok: exitCode === 0, words: stderr.toString('utf8').trim(), output: stdout.toString('utf8') };
  } catch (error) {
    return { ok: false, words: (error as Error).message, output: '' };
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
