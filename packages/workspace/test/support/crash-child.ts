import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildManager } from '../../src/create-manager.ts';
import type { StrategyName } from '../../src/index.ts';

// Runs one whole life of a workspace and dies at the named step, by the signal that no one can catch.
const [root = '', repo = '', strategy = '', stop = ''] = process.argv.slice(2);
const steps: string[] = [];
const manager = buildManager(
  {
    root,
    allowedProtocols: ['file'],
    limits: { freeBytes: 0 },
    strategies: [strategy as StrategyName],
    pool: { size: 1 },
  },
  (name) => {
    steps.push(name);
    if (name === stop) process.kill(process.pid, 'SIGKILL');
  },
);
// The older template is whole; with overlays the newer one is a layer over it.
await manager.prefetch(repo, { warm: { ref: 'older' } });
await manager.prefetch(repo, { warm: {} });
const workspace = await manager.checkout({
  repo,
  branch: 'agent/1',
  leaseId: 'run-1',
  strategy: strategy as StrategyName,
  trusted: strategy === 'worktree',
});
writeFileSync(join(workspace.path, 'x.txt'), 'x\n');
await workspace.commitAll({ message: 'X', date: new Date(1_700_000_000_000) });
await workspace.push();
await workspace.dispose();
await manager.close();
process.stdout.write(JSON.stringify([...new Set(steps)]));
