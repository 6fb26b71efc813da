import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Launching } from '../launcher.ts';
import { killGroup, type ProcessResult, withLimits } from '../process.ts';
import { commandText } from './command-text.ts';
import { createTurn, type Turn } from './turn.ts';

/** A small shell that runs one program after the other. A program that must be killed takes the shell with it. */
export interface Lane {
  run(request: Launching): Promise<ProcessResult>;
  isOpen(): boolean;
  close(): void;
}

/** Pipes of the shell: its commands, the program's outputs, and what the shell says itself. */
type Pipes = readonly [commands: Socket, stdout: Socket, stderr: Socket, words: Socket];

/** What a shell says of a program that a signal ended is this and the signal's number. git itself exits with 128 and 129. */
const SIGNALLED = 128;
const KILLED = SIGNALLED + constants.signals.SIGKILL;

/** Keeps the event loop alive only while a program runs. */
function hold(child: ChildProcess, pipes: Pipes, isHeld: boolean): void {
  const word = isHeld ? 'ref' : 'unref';
  child[word]();
  for (const pipe of pipes) pipe[word]();
}

function endingOf(status: number): Pick<ProcessResult, 'exitCode' | 'signal'> {
  const signals = status > SIGNALLED + 1 ? Object.entries(constants.signals) : [];
  const signal = signals.find(([, number]) => number === status - SIGNALLED)?.[0] as NodeJS.Signals | undefined;
  return { exitCode: signal === undefined ? status : undefined, signal };
}

/** Whether there is a shell. */
function greets(child: ChildProcess, [commands, , , words]: Pipes): Promise<boolean> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(false)).once('close', () => resolve(false));
    words?.once('data', () => resolve(true));
    commands?.write('echo >&3\n');
  });
}

/** Starts a shell in a process group of its own; undefined where there is none. */
export async function openLane(environment: Readonly<Record<string, string>>): Promise<Lane | undefined> {
  const child = spawn('sh', [], {
    cwd: '/',
    env: environment,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const pipes = child.stdio as unknown as Pipes;
  let turn: Turn | undefined;
  let isOpen = true;
  for (const pipe of pipes) pipe?.on('error', () => undefined);
  child.once('close', () => {
    isOpen = false;
    turn?.cut(KILLED);
  });
  if (!(await greets(child, pipes))) return undefined;
  pipes[1].on('data', (chunk: Buffer) => turn?.stdout(chunk));
  pipes[2].on('data', (chunk: Buffer) => turn?.stderr(chunk));
  pipes[3].on('data', (chunk: Buffer) => turn?.words(chunk));
  hold(child, pipes, false);

  async function run(request: Launching): Promise<ProcessResult> {
    const mark = randomBytes(16).toString('hex');
    const mine = createTurn(mark, request.maxOutput);
    turn = mine;
    hold(child, pipes, true);
    pipes[0].write(commandText({ ...request, input: request.input?.toString() }, mark));
    try {
      const kill = (): void => killGroup(child);
      const { value, timedOut } = await withLimits(request, kill, () => mine.over);
      return { ...endingOf(value.status), ...value.output, timedOut };
    } finally {
      turn = undefined;
      hold(child, pipes, false);
    }
  }
  return { run, isOpen: () => isOpen, close: () => void pipes[0].end() };
}
