import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeBeneath } from '../files/beneath.ts';
import { tellAgentLfs } from '../lfs/publish.ts';
import { type AgentFolder, listObjectFiles, readAgentHead } from './agent-git-dir.ts';
import type { HostRepository } from './host-repository.ts';

/** So many object files are copied as they are; for more, a pack is worth a process. */
const FEW_OBJECTS = 100;

type Names = readonly string[];

async function write({ root, names }: AgentFolder, below: Names, data: Buffer | string, time?: Date): Promise<void> {
  await writeBeneath(root, [...names, ...below], data, time);
}

/** All objects that the host made itself, where they are few files: without a pack, none came from elsewhere. */
async function fewObjects({ gitDir }: HostRepository): Promise<readonly Names[] | undefined> {
  const files = await listObjectFiles({ root: gitDir, names: [] });
  const isFew = files.length <= FEW_OBJECTS && files.every(({ kind }) => kind === 'loose');
  return isFew ? files.map(({ names }) => names) : undefined;
}

async function givePack(host: HostRepository, commit: string, parent: string, signal?: AbortSignal): Promise<void> {
  const { agent, folder } = host.context;
  const outgoing = join(folder, 'outgoing');
  await mkdir(outgoing, { recursive: true });
  const args = ['pack-objects', '--revs', '--quiet', join(outgoing, 'pack')];
  const name = await host.text({ what: 'Packing a commit', args, input: `${commit}\n--not\n${parent}\n`, signal });
  for (const ending of ['pack', 'idx']) {
    const data = await readFile(join(outgoing, `pack-${name}.${ending}`));
    await write(agent.common, ['objects', 'pack', `pack-${name}.${ending}`], data);
  }
  await rm(outgoing, { recursive: true, force: true });
}

/**
 * Lets the agent's repository know of a commit of the host: objects, the branch and the index are written as files.
 * The index fits, because it describes the same working tree.
 */
export async function tellAgent(
  host: HostRepository,
  commit: string,
  parent: string,
  signal?: AbortSignal,
): Promise<void> {
  const { agent } = host.context;
  const head = await readAgentHead(agent);
  if (head === undefined || (head.commit !== undefined && head.commit !== parent)) return;
  const few = await fewObjects(host);
  if (few === undefined) await givePack(host, commit, parent, signal);
  else for (const names of few) await write(agent.common, names, await readFile(join(host.gitDir, ...names)));
  await tellAgentLfs(host, commit, parent, signal);
  const index = join(host.gitDir, 'index');
  // The time stays: git compares the files' times with it to tell what may have changed since.
  await write(agent.own, ['index'], await readFile(index), (await stat(index)).mtime);
  if (head.ref === undefined) await write(agent.own, ['HEAD'], `${commit}\n`);
  else await write(agent.common, head.ref.split('/'), `${commit}\n`);
}
