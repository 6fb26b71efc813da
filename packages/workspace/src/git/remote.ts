import { RefNotFoundError, WorkspaceError } from '../errors.ts';
import { type FetchInfo, notify } from '../instrumentation.ts';
import type { ProcessResult } from '../process.ts';
import type { RepositoryAddress } from '../repository.ts';
import type { Services } from '../services.ts';
import { openCredentialSocket } from './credentials.ts';
import { settingsCount } from './environment.ts';
import type { GitCall } from './run.ts';

/** Refs that a remote shows. */
export interface RemoteRefs {
  /** Full ref name to object id; peeled ids of annotated tags stand under `name^{}`. */
  readonly refs: ReadonlyMap<string, string>;
  /** Full name of the branch that HEAD means; undefined when the remote does not say. */
  readonly head: string | undefined;
}

/** Runs something that reaches a remote and tells the observer of it. */
export async function observeRemote<T>(services: Services, info: FetchInfo, work: () => Promise<T>): Promise<T> {
  const { instrumentation, clock } = services;
  const started = clock.monotonic();
  const report = (code: string | undefined): void =>
    notify(instrumentation.onFetched, { ...info, shared: false, durationMs: clock.monotonic() - started, code });
  try {
    const result = await (instrumentation.aroundFetch ? instrumentation.aroundFetch(work, info) : work());
    report(undefined);
    return result;
  } catch (error) {
    report(error instanceof WorkspaceError ? error.code : 'ERR_UNKNOWN');
    throw error;
  }
}

/** A call of git that reaches a remote: with credentials from the socket, in the network's time. */
export function runRemote(
  services: Services,
  address: RepositoryAddress,
  kind: FetchInfo['kind'],
  call: GitCall,
): Promise<ProcessResult> {
  return observeRemote(services, { repo: address.url, kind }, () =>
    withCredentials(services, address, kind === 'push' ? 'push' : 'fetch', {
      timeoutMs: services.limits.networkTimeoutMs,
      ...call,
    }),
  );
}

async function withCredentials(
  services: Services,
  address: RepositoryAddress,
  operation: 'fetch' | 'push',
  call: GitCall,
): Promise<ProcessResult> {
  const needed = address.protocol === 'https' || address.protocol === 'http';
  if (services.credentials === undefined || !needed) return await services.git.run(call);
  await using socket = await openCredentialSocket(
    services.credentials,
    operation,
    settingsCount(services),
    call.signal,
  );
  return await services.git.run({ ...call, env: { ...call.env, ...socket.env } });
}

/** Asks a remote for some of its refs; patterns are full names. */
export async function listRemote(
  services: Services,
  address: RepositoryAddress,
  patterns: readonly string[],
  signal?: AbortSignal,
): Promise<RemoteRefs> {
  const { stdout } = await runRemote(services, address, 'probe', {
    what: `Asking ${address.url} for its refs`,
    args: ['ls-remote', '--symref', '--end-of-options', address.url, ...patterns],
    signal,
  });
  const refs = new Map<string, string>();
  let head: string | undefined;
  for (const line of stdout.toString('utf8').split('\n')) {
    const [value, name] = line.split('\t');
    if (value === undefined || name === undefined) continue;
    if (value.startsWith('ref: ')) head = name === 'HEAD' ? value.slice(5) : head;
    else refs.set(name, value);
  }
  return { refs, head };
}

/** Which ref a name means at the remote, and the commit it points to. */
export interface ResolvedRef {
  /** Full name; undefined for a plain commit id. */
  readonly name: string | undefined;
  /** Object id as the ref shows it; for an annotated tag that is the tag. */
  readonly id: string;
}

/** Names that a short ref can stand for, in this order. */
export function candidates(ref: string | undefined): readonly string[] {
  if (ref === undefined || ref === 'HEAD') return ['HEAD'];
  if (ref.startsWith('refs/')) return [ref];
  return [`refs/heads/${ref}`, `refs/tags/${ref}`];
}

function defaultBranch(remote: RemoteRefs): string | undefined {
  if (remote.head !== undefined && remote.refs.has(remote.head)) return remote.head;
  const id = remote.refs.get('HEAD');
  const branches = [...remote.refs.keys()].filter((name) => name.startsWith('refs/heads/'));
  const preferred = ['refs/heads/main', 'refs/heads/master', ...branches];
  return id === undefined
    ? preferred.find((name) => remote.refs.has(name))
    : preferred.find((name) => remote.refs.get(name) === id);
}

/**
 * Finds what a ref means at the remote, in one question.
 *
 * @throws {RefNotFoundError} when it means nothing there
 */
export async function resolveRemote(
  services: Services,
  address: RepositoryAddress,
  ref: string | undefined,
  signal?: AbortSignal,
): Promise<ResolvedRef> {
  const names = candidates(ref);
  if (names[0] !== 'HEAD') {
    const remote = await listRemote(services, address, names, signal);
    const name = names.find((candidate) => remote.refs.has(candidate));
    if (name !== undefined) return { name, id: remote.refs.get(name) as string };
    throw new RefNotFoundError(
      `${address.url} has no branch or tag "${ref}". Check the name; it may have been deleted`,
    );
  }
  // Bundles and some servers name no target of HEAD: then the branches are needed to find it.
  const remote = await listRemote(services, address, ['HEAD', 'refs/heads/*'], signal);
  const name = defaultBranch(remote);
  const id = name === undefined ? remote.refs.get('HEAD') : remote.refs.get(name);
  if (id !== undefined) return { name, id };
  throw new RefNotFoundError(`${address.url} has no commit at its default branch. Push one first, or name a ref`);
}
