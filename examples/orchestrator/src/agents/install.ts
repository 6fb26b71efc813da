import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { agentPackages } from './packages.ts';

/** Installs the program of one agent below the agents' folder. What is there already in this version is kept. */
async function install(type: string, folder: string): Promise<void> {
  const found = agentPackages[type];
  if (!found) throw new Error(`There is no agent ${type}.`);
  const directory = join(folder, type);
  await mkdir(directory, { recursive: true });
  const manifest = {
    private: true,
    dependencies: { [found.name]: found.version },
    ...(found.needsScript && { allowScripts: { [found.name]: true } }),
  };
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest));
  const child = spawn('npm', ['install', '--no-audit', '--no-fund'], { cwd: directory, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`npm install ended with ${code}`);
}

const wanted = process.argv.slice(2);
const unknown = wanted.find((type) => !(type in agentPackages));
if (wanted.length === 0 || unknown) {
  process.stderr.write(`Usage: npm run agents -- ${Object.keys(agentPackages).join('|')} …\n`);
  process.exitCode = 1;
} else {
  const { agentsDirectory } = readConfig(process.env);
  for (const type of wanted) await install(type, agentsDirectory);
}
