import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createWorkspaceManager } from '../../src/index.ts';

// One life of a workspace by a user without rights, told as JSON.
const [root = '', repo = '', userNamespaces = '', end = ''] = process.argv.slice(2);
const manager = createWorkspaceManager({
  root,
  allowedProtocols: ['file'],
  limits: { freeBytes: 0 },
  userNamespaces: userNamespaces === 'true',
  pool: { size: 0 },
});
const { strategies } = await manager.inspect();
const workspace = await manager.checkout({ repo, branch: 'agent/1' });
if (end === 'killed') {
  process.stdout.write(JSON.stringify(workspace.launch('cat', ['readme.md'])), () =>
    process.kill(process.pid, 'SIGKILL'),
  );
  await new Promise(() => undefined);
}
const inside = async (script: string): Promise<string> => {
  const { stdout, stderr, exitCode } = await workspace.exec('sh', ['-c', script], { cwd: 'src' });
  return exitCode === 0 ? stdout.trim() : `${exitCode}: ${stderr}`;
};
// What does not match the index by its stat data would have to be hashed.
const statDirty = await inside('git diff-files --name-only');
writeFileSync(join(workspace.hostPath, 'from-host.txt'), 'host\n');
const before = await inside('id -u; pwd; cat a.txt ../from-host.txt; git status --porcelain');
const privileged = await inside(
  'umount "$PWD/.." 2>/dev/null && echo unmounted; mount -t tmpfs x . 2>/dev/null && echo mounted; true',
);
await inside(
  'git add -A && git commit -qm One && echo two > two.txt && mkdir locked && touch locked/x && chmod 500 locked',
);
const status = await workspace.status();
const commit = await workspace.commitAll({ message: 'Two', date: new Date(1_700_000_000_000) });
const clean = await inside('git status --porcelain');
const push = await workspace.push();
const kept = await manager.checkout({ repo, leaseId: 'kept' });
await kept.keep('1h');
await workspace.dispose();
await manager.close();
process.stdout.write(
  JSON.stringify({
    strategies,
    used: workspace.stats.strategy,
    path: workspace.path,
    launch: workspace.launch('agent').command,
    before: before.split('\n'),
    privileged,
    statDirty,
    entries: status.entries,
    clean,
    pushed: push.sha === commit?.sha,
    again: kept.launch('cat', ['readme.md']),
  }),
);
