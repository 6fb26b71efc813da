import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** How a script ended. */
export interface ScriptResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link runScript}. */
export interface ScriptOptions {
  /** Folder to run in. @default the script's own */
  readonly cwd?: string;
  /** Added to the environment. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** Milliseconds after which it is killed, so that its exit code is null. @default 60_000 */
  readonly timeout?: number;
}

/** Runs a TypeScript file on the packages' sources, as the tests themselves run, and collects its output. */
export async function runScript(path: string, options: ScriptOptions = {}): Promise<ScriptResult> {
  const child = spawn(
    process.execPath,
    ['--conditions=@millrace/source', '--import', 'tsx', path, ...(options.args ?? [])],
    {
      cwd: options.cwd ?? dirname(path),
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeout ?? 60_000,
      killSignal: 'SIGKILL',
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [exitCode] = (await once(child, 'close')) as [number | null];
  return { exitCode, stdout, stderr };
}

/** The code of the first TypeScript block of a Markdown file. */
export async function firstCodeBlock(markdown: string): Promise<string> {
  const code = /^```ts\n([\s\S]*?)^```/m.exec(await readFile(markdown, 'utf8'))?.[1];
  if (code === undefined) throw new Error(`${markdown} has no \`\`\`ts block.`);
  return code;
}

/** Runs a piece of TypeScript as a file in a new folder inside `beside`, so that names of packages resolve as they do there. */
export async function runCode(code: string, beside: string, options: ScriptOptions = {}): Promise<ScriptResult> {
  const folder = await mkdtemp(join(beside, '.code-'));
  try {
    const script = join(folder, 'code.mts');
    await writeFile(script, code);
    return await runScript(script, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the first TypeScript block of a README just as a reader would who pastes it beside that README. */
export async function runReadme(markdown: string, options: ScriptOptions = {}): Promise<ScriptResult> {
  return runCode(await firstCodeBlock(markdown), dirname(markdown), options);
}
