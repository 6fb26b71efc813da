import type { Commit, CommitOptions, Identity } from '../workspace.ts';
import type { HostRepository } from './host-repository.ts';
import { closeImport, importAgentCommits } from './import.ts';
import { checkRules, type ResolvedRules } from './rules.ts';
import { tellAgent } from './tell-agent.ts';
import { noteTree, treeOf } from './trees.ts';
import { adoptIndex, writeWorkingTree } from './working-tree.ts';

function identityEnvironment(options: CommitOptions, fallback: Identity): Record<string, string> {
  const author = options.author ?? fallback;
  const committer = options.committer ?? author;
  const date = options.date === undefined ? {} : dates(`@${Math.floor(options.date.getTime() / 1000)} +0000`);
  return {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: committer.name,
    GIT_COMMITTER_EMAIL: committer.email,
    ...date,
  };
}

function dates(date: string): Record<string, string> {
  return { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
}

/** Commits what is uncommitted on top of the agent's own commits; undefined when there is nothing. */
export async function commitWorkingTree(
  host: HostRepository,
  options: CommitOptions,
  identity: Identity,
  rules: ResolvedRules,
): Promise<Commit | undefined> {
  const { signal } = options;
  const parent = await importAgentCommits(host, rules, signal);
  const written = await writeWorkingTree(host, rules, signal);
  if (written.tree === (await treeOf(host, parent, signal))) return undefined;
  const sha = await host.text({
    what: 'Making a commit',
    args: ['commit-tree', '-p', parent, '-F', '-', written.tree],
    input: options.message.endsWith('\n') ? options.message : `${options.message}\n`,
    env: identityEnvironment(options, identity),
    signal,
  });
  noteTree(host, sha, written.tree);
  await checkRules(host, { tip: sha, parent }, rules, signal);
  await adoptIndex(host, written);
  await host.setTip(sha);
  host.context.services.step('commit:made');
  if (options.final) closeImport(host);
  else await tellAgent(host, sha, parent, signal);
  return { sha };
}
