import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createWorkspaceManager } from '../src/index.ts';
import type { NamespaceSample } from './namespace.ts';

const [root = '', url = '', rounds = '1'] = process.argv.slice(2);
await using manager = createWorkspaceManager({
  root: join(root, 'workspaces'),
  allowedProtocols: ['http'],
  limits: { freeBytes: 0 },
  strategies: ['overlay'],
  userNamespaces: true,
});
const { sha } = await manager.resolve({ repo: url });
await manager.prefetch(url, { warm: { ref: sha } });
const [ms, bytes]: [number[], number[]] = [[], []];
for (let round = 0; round < Number(rounds); round += 1) {
  const started = performance.now();
  await using workspace = await manager.checkout({ repo: url, ref: sha, branch: `bench/${round}` });
  ms.push(performance.now() - started);
  // It complains of the folder that overlayfs keeps for itself, and counts the rest.
  const args = ['-s', '--block-size=1', join(root, 'workspaces/workspaces', workspace.leaseId)];
  bytes.push(Number(spawnSync('du', args, { encoding: 'utf8' }).stdout.split('\t')[0]));
}
process.stdout.write(JSON.stringify({ ms, bytes } satisfies NamespaceSample));
