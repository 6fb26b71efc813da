// What leaves a workspace passes the rules first: a change that is not allowed is refused, and nothing reaches the origin.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWorkspaceManager, RefusedByPolicyError } from '@millrace/workspace';

const folder = mkdtempSync(join(tmpdir(), 'checked-push-'));
const origin = join(folder, 'origin');
const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.org', ...args], { encoding: 'utf8' });
git('init', '--quiet', '--initial-branch=main', origin);
git('-C', origin, 'commit', '--quiet', '--allow-empty', '-m', 'Start');

const manager = createWorkspaceManager({
  root: join(folder, 'root'),
  allowedProtocols: ['file'],
  rules: { forbiddenPaths: ['.github/workflows'], allowedBranches: ['agent/*'] },
});
const workspace = await manager.checkout({ repo: origin, branch: 'agent/1' });
mkdirSync(join(workspace.path, '.github/workflows'), { recursive: true });
writeFileSync(join(workspace.path, '.github/workflows/steal.yml'), 'on: push\n');
try {
  await workspace.commitAll('Add a workflow');
} catch (error) {
  if (!(error instanceof RefusedByPolicyError)) throw error;
  console.log(`refused by rule ${error.rule}: ${error.message}`);
}
await manager.close();
console.log(`branches at the origin: ${git('-C', origin, 'for-each-ref', '--format=%(refname:short)').trim()}`);
rmSync(folder, { recursive: true, force: true });
