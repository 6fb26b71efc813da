import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RefusedByPolicyError, WorkspaceError } from '../errors.ts';
import { readBeneath } from '../files/beneath.ts';
import { listObjectFiles, readAgentHead } from './agent-git-dir.ts';
import { type HostRepository, withIncoming } from './host-repository.ts';
import type { ResolvedRules } from './rules.ts';

/** Object files of an agent at most: a store with more is a bomb, or wants a `git gc`. */
const MAX_OBJECT_FILES = 200_000;

/** Copies the agent's object files as data; packs get a new index, because theirs may lie. */
async function receiveObjects(
  host: HostRepository,
  incoming: string,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<void> {
  const { agent, services } = host.context;
  if (agent.shared !== undefined) {
    return await appendFile(join(incoming, 'objects', 'info', 'alternates'), `${agent.shared}\n`);
  }
  const { root, names: start } = agent.common;
  const files = await listObjectFiles(agent.common);
  if (files.length > MAX_OBJECT_FILES) {
    throw new RefusedByPolicyError(
      'size',
      `The workspace made ${files.length} object files; ${MAX_OBJECT_FILES} are allowed`,
    );
  }
  let room = rules.maxBytes;
  for (const { kind, names } of files) {
    signal?.throwIfAborted();
    const data = await readBeneath(root, names, room);
    if (data === undefined) continue;
    room -= data.length;
    if (kind === 'loose') await receiveLoose(incoming, names.slice(start.length), data);
    else {
      const args = ['index-pack', '--stdin', '--fix-thin'];
      await services.git.run({ what: 'Reading the pack of an agent', gitDir: incoming, args, input: data, signal });
    }
  }
}

async function receiveLoose(incoming: string, names: readonly string[], data: Buffer): Promise<void> {
  const path = join(incoming, ...names);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, data);
}

/**
 * Moves what belongs to the tip, and nothing else, into the host's repository. `index-pack` computes each id from the
 * content and checks each object as fsck does; then every object of the new history must be there.
 */
async function acceptHistory(
  host: HostRepository,
  incoming: string,
  { tip, maxBytes }: { readonly tip: string; readonly maxBytes: number },
  signal?: AbortSignal,
): Promise<void> {
  const { base, services } = host.context;
  const known = [...new Set([base, await host.tip()])];
  const pack = await services.git.run({
    what: 'Collecting the commits of an agent',
    gitDir: incoming,
    args: ['pack-objects', '--revs', '--thin', '--stdout', '--quiet', '--delta-base-offset'],
    input: `${[tip, '--not', ...known].join('\n')}\n`,
    maxOutput: 1024 * 1024 * 1024,
    signal,
  });
  if (pack.stdout.length > maxBytes)
    throw new RefusedByPolicyError('size', `The new commits have ${pack.stdout.length} bytes; ${maxBytes} are allowed`);
  await host.run({
    what: 'Checking the commits of an agent',
    args: ['index-pack', '--stdin', '--fix-thin', '--strict'],
    input: pack.stdout,
    signal,
  });
  await host.run({
    what: 'Checking that the history of an agent is whole',
    args: ['rev-list', '--objects', '--quiet', tip, '--not', base],
    signal,
  });
}

/** Workspaces whose last commit was made. */
const closed = new WeakSet<HostRepository['context']>();

/** Looks at no later commit of the agent. */
export function closeImport(host: HostRepository): void {
  closed.add(host.context);
}

/**
 * Takes over the commits that the agent made itself, if there are any.
 *
 * @returns the tip after it
 * @throws {RefusedByPolicyError} when they are broken, forged or too large
 */
export async function importAgentCommits(
  host: HostRepository,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<string> {
  const tip = await host.tip();
  if (closed.has(host.context)) return tip;
  const agent = (await readAgentHead(host.context.agent))?.commit;
  if (agent === undefined || agent === tip) return tip;
  try {
    await withIncoming(host, async (incoming) => {
      await receiveObjects(host, incoming, rules, signal);
      await acceptHistory(host, incoming, { tip: agent, maxBytes: rules.maxBytes }, signal);
    });
  } catch (error) {
    if (error instanceof RefusedByPolicyError || !(error instanceof WorkspaceError)) throw error;
    if (error.retryable && error.code !== 'ERR_WORKSPACE_CORRUPT') throw error;
    throw new RefusedByPolicyError(
      'history',
      `The commits of this workspace do not pass the checks: ${error.message}`,
      { cause: error },
    );
  }
  await host.run({ what: 'Reading the tip', args: ['read-tree', '-m', agent], signal });
  await host.setTip(agent);
  return agent;
}
