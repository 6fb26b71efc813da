import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { killGroup } from '../process.ts';
import { TOOL_TIMEOUT_MS, toolEnvironment } from '../tool.ts';

/**
 * Starting a program from a large Node process costs more than a mount, so one small shell per manager starts mount(8)
 * and umount(8) for it: each gets a whole batch. It reads a command per line, answers with a line, and ends with its
 * standard input, which the kernel closes when the manager dies.
 */
const program = `set -f
while IFS= read -r line; do
  case $line in
    "mount "*) mount --all --fstab "\${line#mount }" ;;
    "umount "*) umount -- \${line#umount } ;;
    *) false ;;
  esac && echo ok || echo failed
done`;

/** A shell that mounts and unmounts for a manager. */
export interface MountHelper {
  /** Does a command and says whether all of it went well. Starts the shell where none lives; never rejects. */
  ask(command: string): Promise<boolean>;
  /** Ends the shell. */
  close(): void;
}

interface Shell {
  readonly child: ChildProcess;
  readonly ask: (command: string) => Promise<boolean>;
}

/** Keeps the event loop alive only while an answer is awaited. */
function holdLoop(child: ChildProcess, hold: boolean): void {
  const word = hold ? 'ref' : 'unref';
  child[word]();
  (child.stdout as Socket | null)?.[word]();
}

function startShell(): Shell {
  const child = spawn('sh', ['-c', program], {
    cwd: '/',
    env: toolEnvironment(),
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let answer: ((line: string | undefined) => void) | undefined;
  const settle = (line?: string): void => answer?.(line);
  child.on('error', () => settle()).on('close', () => settle());
  child.stdin?.on('error', () => settle());
  (child.stdin as Socket | null)?.unref();
  createInterface({ input: child.stdout as Socket }).on('line', settle);
  holdLoop(child, false);
  const ask = (command: string): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => killGroup(child), TOOL_TIMEOUT_MS);
      holdLoop(child, true);
      answer = (line) => {
        clearTimeout(timer);
        answer = undefined;
        holdLoop(child, false);
        resolve(line === 'ok');
      };
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) settle();
      else child.stdin?.write(`${command}\n`);
    });
  return { child, ask };
}

/** Makes the helper; its shell starts with the first command and again after it died. One command at a time. */
export function createMountHelper(): MountHelper {
  let shell: Shell | undefined;
  return {
    ask: async (command) => {
      const current = shell ?? startShell();
      shell = current;
      const done = await current.ask(command);
      if (current.child.exitCode !== null || current.child.signalCode !== null) shell = undefined;
      return done;
    },
    close: () => {
      shell?.child.stdin?.end();
      shell = undefined;
    },
  };
}
