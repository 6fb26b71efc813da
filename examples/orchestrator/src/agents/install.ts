import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../config.ts';

/** The npm packages of the agents. They are large, so they are installed on demand and beside the project. */
const packages: Readonly<Record<string, string>> = {
  claude: '@anthropic-ai/claude-code',
  codex: '@openai/codex',
  gemini: '@google/gemini-cli',
};

/** Installs the program of one agent below the agents' folder. */
async function install(type: string, folder: string): Promise<void> {
  const directory = join(folder, type);
  await mkdir(directory, { recursive: true });
  const args = ['install', '--no-audit', '--no-fund', '--prefix', directory, packages[type] ?? ''];
  const child = spawn('npm', args, { cwd: directory, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`npm install ended with ${code}`);
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((type) => !(type in packages));
if (wanted.length === 0 || unknown) {
  process.stderr.write(`Usage: npm run agents -- ${Object.keys(packages).join('|')} …\n`);
  process.exitCode = 1;
} else {
  const { agentsDirectory } = readConfig(process.env);
  for (const type of wanted) await install(type, agentsDirectory);
}
