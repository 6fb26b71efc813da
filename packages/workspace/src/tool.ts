import { systemClock } from './clock.ts';
import { runProcess } from './process.ts';

/** What a small system program answered. */
export interface ToolAnswer {
  readonly ok: boolean;
  /** Its complaints. */
  readonly words: string;
}

/** Environment of the small system programs. */
export function toolEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
}

/** Milliseconds after which a small system program is given up. */
export const TOOL_TIMEOUT_MS = 30_000;

/** Runs a small system program. Never rejects: the answer says what went wrong. */
export async function runTool(command: string, args: readonly string[]): Promise<ToolAnswer> {
  try {
    const { exitCode, stderr } = await runProcess({
      command,
      args,
      cwd: '/',
      env: toolEnvironment(),
      timeoutMs: TOOL_TIMEOUT_MS,
      maxOutput: 65_536,
      clock: systemClock,
    });
    return { ok: exitCode === 0, words: stderr.toString('utf8').trim() };
  } catch (error) {
    return { ok: false, words: (error as Error).message };
  }
}
