import type { Services } from '../services.ts';
import type { HostRepository } from './host-repository.ts';

/** A commit never changes, and every workspace of a base asks for the same tree. */
const known = new WeakMap<Services, Map<string, string>>();

/** Commits remembered at most. */
const MOST_KNOWN = 1000;

/** Remembers the tree of a commit. */
export function noteTree(host: HostRepository, commit: string, tree: string): void {
  const { services } = host.context;
  const trees = known.get(services) ?? new Map<string, string>();
  known.set(services, trees.set(commit, tree));
  const [oldest] = trees.keys();
  if (trees.size > MOST_KNOWN && oldest !== undefined) trees.delete(oldest);
}

/** Tree of a commit that the host has. */
export async function treeOf(host: HostRepository, commit: string, signal?: AbortSignal): Promise<string> {
  const tree = known.get(host.context.services)?.get(commit) ?? (await readTree(host, commit, signal));
  noteTree(host, commit, tree);
  return tree;
}

/** Tree of a commit or of a tree id, read from the objects. */
export function readTree(host: HostRepository, id: string, signal?: AbortSignal): Promise<string> {
  return host.text({
    what: 'Reading a tree',
    args: ['rev-parse', '--verify', '--end-of-options', `${id}^{tree}`],
    signal,
  });
}
