import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeBeneath } from '../files/beneath.ts';
import { tellAgentLfs } from '../lfs/publish.ts';
import type { Commit, CommitOptions, Identity } from '../workspace.ts';
import { type AgentFolder, readAgentHead } from './agent-git-dir.ts';
import type { HostRepository } from './host-repository.ts';
import { importAgentCommits } from './import.ts';
import { checkRules, type ResolvedRules } from './rules.ts';
import { adoptIndex, treeOf, writeWorkingTree } from './working-tree.ts';

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

/**
 * Lets the agent's repository know of a commit of the host: a pack, the branch and the index are written as files.
 * The index fits, because it describes the same working tree.
 */
async function tellAgent(host: HostRepository, commit: string, parent: string, signal?: AbortSignal): Promise<void> {
  const { agent, folder } = host.context;
  const head = await readAgentHead(agent);
  if (head === undefined || (head.commit !== undefined && head.commit !== parent)) return;
  const write = (
    { root, names }: AgentFolder,
    below: readonly string[],
    data: Buffer | string,
    time?: Date,
  ): Promise<void> => writeBeneath(root, [...names, ...below], data, time);
  const outgoing = join(folder, 'outgoing');
  await mkdir(outgoing, { recursive: true });
  const args = ['pack-objects', '--revs', '--quiet', join(outgoing, 'pack')];
  const name = await host.text({ what: 'Packing a commit', args, input: `${commit}\n--not\n${parent}\n`, signal });
  for (const ending of ['pack', 'idx']) {
    const data = await readFile(join(outgoing, `pack-${name}.${ending}`));
    await write(agent.common, ['objects', 'pack', `pack-${name}.${ending}`], data);
  }
  await rm(outgoing, { recursive: true, force: true });
  await tellAgentLfs(host, commit, parent, signal);
  const index = join(host.gitDir, 'index');
  // The time stays: git compares the files' times with it to tell what may have changed since.
  await write(agent.own, ['index'], await readFile(index), (await stat(index)).mtime);
  if (head.ref === undefined) await write(agent.own, ['HEAD'], `${commit}\n`);
  else await write(agent.common, head.ref.split('/'), `${commit}\n`);
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
  await checkRules(host, sha, rules, signal);
  await adoptIndex(host, written);
  await host.setTip(sha);
  host.context.services.step('commit:made');
  await tellAgent(host, sha, parent, signal);
  return { sha };
}
