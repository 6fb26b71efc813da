import { systemClock } from './clock.ts';
import type { Launcher } from './launcher.ts';
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

/** Starts the program as a child of this process. */
const directly: Pick<Launcher, 'run'> = {
  run: (request) => runProcess({ ...request, cwd: '/', env: { ...toolEnvironment(), ...request.env } }),
};

/**
 * Runs a small system program. Never rejects: the answer says what went wrong.
 *
 * @param launcher starts it, for what is called often
 */
export async function runTool(
  command: string,
  args: readonly string[],
  launcher: Pick<Launcher, 'run'> = directly,
): Promise<ToolAnswer> {
  try {
    const { exitCode, stderr } = await launcher.run({
      command,
      args,
      env: {},
      timeoutMs: TOOL_TIMEOUT_MS,
      maxOutput: 65_536,
      clock: systemClock,
    });
    return { ok: exitCode === 0, words: stderr.toString('utf8').trim() };
  } catch (error) {
    return { ok: false, words: (error as Error).message };
  }
}
