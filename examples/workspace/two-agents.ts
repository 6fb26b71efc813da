// Two agents work on the same repository at the same time, each in a tree of its own; both branches arrive at the origin.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWorkspaceManager } from '@millrace/workspace';

const folder = mkdtempSync(join(tmpdir(), 'two-agents-'));
const origin = join(folder, 'origin');
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', ...args], { encoding: 'utf8' });
git('init', '--quiet', '--initial-branch=main', origin);
writeFileSync(join(origin, 'readme.md'), 'hello\n');
git('-C', origin, 'add', '--all');
git('-C', origin, 'commit', '--quiet', '-m', 'Start');

const manager = createWorkspaceManager({ root: join(folder, 'root'), allowedProtocols: ['file'] });
async function agent(name: string): Promise<void> {
  await using workspace = await manager.checkout({ repo: origin, branch: `agent/${name}`, leaseId: name });
  await workspace.exec('sh', ['-c', `echo 'written by ${name}' >> readme.md`]);
  console.log(await workspace.diff({ format: 'stat' }));
  await workspace.commitAll(`Work of ${name}`);
  const { status } = await workspace.push();
  console.log(`${name}: ${status}, made by strategy ${workspace.stats.strategy}`);
}
await Promise.all(['ada', 'bob'].map(agent));
await manager.close();
console.log(git('-C', origin, 'for-each-ref', '--format=%(refname:short) %(subject)'));
rmSync(folder, { recursive: true, force: true });
