import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cachedFolder } from '@millrace/test-support';
import { agentPackages } from '../../src/agents/packages.ts';

/** Where the real programs of the agents are, or why they are not there. */
export interface InstalledAgents {
  readonly folder: string | undefined;
  readonly reason: string;
}

/** Milliseconds that fetching them may take: 740 MB, once per checkout and version. */
export const installTimeout = 240_000;

const installer = fileURLToPath(new URL('../../src/agents/install.ts', import.meta.url));

/** Installs them as `npm run agents` does, into a cache; MILLRACE_TEST_AGENTS names a folder that has them. */
export async function installAgents(): Promise<InstalledAgents> {
  const given = process.env.MILLRACE_TEST_AGENTS;
  if (given === 'none') return { folder: undefined, reason: 'MILLRACE_TEST_AGENTS says none' };
  if (given) return { folder: given, reason: '' };
  const versions = createHash('sha256').update(JSON.stringify(agentPackages)).digest('hex').slice(0, 12);
  try {
    return { folder: await cachedFolder(`agents-${versions}`, install), reason: '' };
  } catch (error) {
    return { folder: undefined, reason: `the agents could not be installed: ${(error as Error).message}` };
  }
}

async function install(folder: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--conditions=@millrace/source', '--import', 'tsx', installer, ...Object.keys(agentPackages)],
    { env: { ...process.env, AGENTS_DIR: folder }, stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), installTimeout);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(timer);
  if (code !== 0) throw new Error(`npm ended with ${code ?? 'a timeout'}: ${output.trim().split('\n').at(-1) ?? ''}`);
}
