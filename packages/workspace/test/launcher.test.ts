import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@millrace/test-support';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { createLauncher, type Launcher, type Launching } from '../src/launcher.ts';

let launcher: Launcher;
let folder: string;
beforeEach(() => {
  launcher = createLauncher({ PATH: process.env.PATH ?? '', COLOUR: 'blue' });
  folder = mkdtempSync(join(tmpdir(), 'millrace-launcher-'));
});
afterEach(() => {
  launcher.close();
  rmSync(folder, { recursive: true, force: true });
});

const request = (command: string, args: readonly string[], more: Partial<Launching> = {}): Launching => ({
  command,
  args,
  env: {},
  timeoutMs: 30_000,
  maxOutput: 1024 * 1024,
  clock: systemClock,
  ...more,
});
const node = (script: string, more: Partial<Launching> = {}, ...args: readonly string[]): Launching =>
  request(process.execPath, ['-e', script, '--', ...args], more);

/** The process that started a program: the launcher's shell, or this process itself. */
const parentOf = async (more: Partial<Launching> = {}): Promise<number> =>
  Number((await launcher.run(node('process.stdout.write(String(process.ppid))', more))).stdout);

test('a program is started by a shell, the same for calls one after the other', async () => {
  const shell = await parentOf();
  expect(shell).not.toBe(process.pid);
  expect(await parentOf()).toBe(shell);
  expect(new Set(await Promise.all([parentOf(), parentOf()])).size).toBe(2);
});

test('what a shell can not give comes from this process: bytes, large inputs, output as it comes', async () => {
  expect(await parentOf({ input: Buffer.from([0, 1]) })).toBe(process.pid);
  expect(await parentOf({ input: 'x'.repeat(100_000) })).toBe(process.pid);
  expect(await parentOf({ onOutput: () => undefined })).toBe(process.pid);
});

test('without a shell programs start all the same', async () => {
  const bare = createLauncher({ PATH: '/nonexistent' });
  const { stdout } = await bare.run(node('process.stdout.write(String(process.ppid))'));
  expect(Number(stdout)).toBe(process.pid);
});

test('words reach a program as they are, and nothing of them is run', async () => {
  const words = [
    "it's",
    '$(touch x)',
    '`touch y`',
    'two\nlines',
    '',
    ' ',
    '\\',
    '"',
    '*',
    '; exit 3',
    'é\u{1f600}',
    '--',
  ];
  const script = 'process.stdout.write(JSON.stringify([process.argv.slice(1), process.env.WORD, process.env.COLOUR]))';
  const { stdout, exitCode } = await launcher.run(node(script, { env: { WORD: "'; touch z '\n$HOME" } }, ...words));
  expect(JSON.parse(stdout.toString())).toEqual([words, "'; touch z '\n$HOME", 'blue']);
  expect(exitCode).toBe(0);
});

test.each([
  { kind: 'whole lines', input: "a 'b' $HOME `id` \\\n%s \\n\n\n" },
  { kind: 'a line without an end', input: "a 'b'\n%s \\n" },
  { kind: 'many lines', input: 'twenty letters of it\n'.repeat(2000) },
])('input ($kind), both outputs and the status come through', async ({ input }) => {
  const script = 'process.stdin.pipe(process.stdout); console.error("oh"); process.on("exit", () => process.exit(7))';
  const result = await launcher.run(node(script, { input }));
  expect(result).toMatchObject({ exitCode: 7, signal: undefined, timedOut: false, truncated: false });
  expect(result.stdout.toString()).toBe(input);
  expect(result.stderr.toString()).toBe('oh\n');
});

test('output is kept up to its limit, whole bytes and all', async () => {
  const script = 'process.stdout.write(Buffer.alloc(3_000_000, 1))';
  const { stdout, truncated } = await launcher.run(node(script));
  expect({ length: stdout.length, truncated }).toEqual({ length: 1024 * 1024, truncated: true });
  const whole = await launcher.run(node(script, { maxOutput: 3_000_000 }));
  expect(whole.truncated).toBe(false);
  expect(whole.stdout.equals(Buffer.alloc(3_000_000, 1))).toBe(true);
});

test('a program that is killed tells by which signal, and the shell goes on', async () => {
  const shell = await parentOf();
  const killed = await launcher.run(request('sh', ['-c', 'kill -9 $$']));
  expect(killed).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
  expect(await launcher.run(request('sh', ['-c', 'exit 129']))).toMatchObject({ exitCode: 129, signal: undefined });
  expect(await parentOf()).toBe(shell);
});

test('what a process says that outlives the program keeps nobody waiting', async () => {
  const late = '(sleep 0.1; echo late; echo late >&2) & echo done';
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const { stdout, timedOut } = await launcher.run(request('sh', ['-c', late], { timeoutMs: 5_000 }));
    expect({ stdout: stdout.toString(), timedOut }).toEqual({ stdout: 'done\n', timedOut: false });
  }
});

test('an abort ends the program and what it started', async () => {
  const abort = new AbortController();
  const file = join(folder, 'child');
  const running = launcher.run(request('sh', ['-c', `sleep 60 & echo $! > ${file}; wait`], { signal: abort.signal }));
  const child = (): string => readFileSync(file, 'utf8').trim();
  await waitFor(async () => child() !== '', { timeout: 10_000 });
  abort.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  await waitFor(async () => !isAlive(Number(child())), { timeout: 10_000 });
  await expect(launcher.run(request('true', [], { signal: abort.signal }))).rejects.toThrow('enough');
});

test('a program that takes too long is killed', async () => {
  expect(await launcher.run(request('sleep', ['60'], { timeoutMs: 50 }))).toMatchObject({ timedOut: true });
});

test('a shell that is killed ends its call as if the program had been, and the next one gets another', async () => {
  const file = join(folder, 'shell');
  const running = launcher.run(request('sh', ['-c', `echo $PPID > ${file}; sleep 1`]));
  await waitFor(async () => readFileSync(file, 'utf8').trim() !== '', { timeout: 10_000 });
  process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  expect(await running).toMatchObject({ exitCode: undefined, signal: 'SIGKILL' });
  expect((await launcher.run(request('true', []))).exitCode).toBe(0);
});

test('a program that is not there is an answer that names it', async () => {
  const { exitCode, stderr } = await launcher.run(request('no-such-program', []));
  expect(exitCode).toBe(127);
  expect(stderr.toString()).toContain('no-such-program');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
