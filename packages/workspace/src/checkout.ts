import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { toMilliseconds } from './duration.ts';
import {
  CorruptRepoError,
  InvalidOptionError,
  LeaseHeldError,
  RefusedByPolicyError,
  StrategyUnavailableError,
  WorkspaceError,
} from './errors.ts';
import { withDiskFull } from './files/disk-full.ts';
import { gitDirIn } from './host/agent-git-dir.ts';
import { notify } from './instrumentation.ts';
import {
  type Borrowed,
  createLease,
  type Lease,
  pin,
  readLease,
  unpin,
  workspaceFolder,
  writeLease,
} from './lease/lease.ts';
import { releaseFolder, removeLease, sweepLease } from './lease/remove.ts';
import { ensureLfs, type LfsSource, wantsLfs } from './lfs/fill.ts';
import { lfsSource } from './lfs/options.ts';
import { liveWorkspace } from './live-workspace.ts';
import type { CheckoutOptions } from './manager.ts';
import { heal, type Supply, supply, type Want } from './mirror/mirrors.ts';
import { readMirror } from './mirror/record.ts';
import { checkRefName, checkSparse, parseRepository, type RepositoryAddress } from './repository.ts';
import { discard } from './root.ts';
import type { Services } from './services.ts';
import { strategyNamed } from './strategies/all.ts';
import type { Made } from './strategies/strategy.ts';
import type { StrategyName } from './strategy.ts';
import { fillSubmodules, type SubmoduleRequest } from './submodules/fill.ts';
import { templateId } from './template/layers.ts';
import { touchTemplate } from './template/templates.ts';
import type { TreeSource } from './template/tree.ts';
import type { Workspace } from './workspace.ts';
import { removeWorktree } from './worktree/hub.ts';

/** What a checkout needs of its manager. */
export interface CheckoutHost {
  readonly services: Services;
  /** Strategies that work here, best first. */
  readonly strategies: readonly StrategyName[];
  readonly maxAgeMs: number;
  /** Called with what was used, so that the pool is filled again. */
  readonly used: (source: TreeSource) => void;
  /** Called when a workspace is gone. */
  readonly gone: (leaseId: string) => void;
}

/** A checkout whose options were checked. */
interface Plan {
  readonly options: CheckoutOptions;
  readonly want: Want;
  readonly sparse: readonly string[];
  readonly lfs: LfsSource | undefined;
  readonly leaseId: string;
  readonly strategies: readonly StrategyName[];
}

/** Addresses of a repository, checked. */
export function addressesOf(
  services: Services,
  repo: string,
  remotes: readonly string[] = [],
): [RepositoryAddress, ...RepositoryAddress[]] {
  const parse = (text: string): RepositoryAddress => parseRepository(text, services.protocols);
  return [parse(repo), ...remotes.map(parse)];
}

function checkLeaseId(leaseId: string): void {
  if (
    !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(leaseId) ||
    leaseId.endsWith('.lock') ||
    leaseId.includes('..') ||
    leaseId.endsWith('.')
  ) {
    throw new InvalidOptionError(
      'leaseId',
      'must be letters, digits, `.`, `_`, `-` (128 at most) and a valid part of a ref name',
    );
  }
}

function plan(host: CheckoutHost, options: CheckoutOptions): Plan {
  const { services } = host;
  const { ref, branch, leaseId = randomUUID(), strategy } = options;
  if (ref !== undefined) checkRefName(ref, 'ref');
  if (branch !== undefined) checkRefName(branch, 'branch');
  checkLeaseId(leaseId);
  const sparse = checkSparse(options.sparse ?? []);
  if (strategy !== undefined) strategyNamed(strategy);
  const addresses = addressesOf(services, options.repo, options.remotes);
  const lfs = lfsSource(services, addresses[0], options.lfs, options.onProgress);
  const want: Want = {
    addresses,
    ref,
    maxAgeMs: options.maxAge === undefined ? host.maxAgeMs : toMilliseconds(options.maxAge, 'maxAge'),
    partial: options.partial ?? false,
    signal: options.signal,
    onProgress: options.onProgress,
    known: (commit, generation) =>
      touchTemplate(services, templateId(services, addresses[0].key, generation, commit, { sparse, lfs })),
  };
  return { options, want, sparse, lfs, leaseId, strategies: chooseStrategies(host, options) };
}

function chooseStrategies(
  host: CheckoutHost,
  { strategy: wanted, trusted = false }: CheckoutOptions,
): readonly StrategyName[] {
  if (wanted === undefined) return trusted ? host.strategies : host.strategies.filter((name) => name !== 'worktree');
  if (wanted === 'worktree' && !trusted)
    throw new RefusedByPolicyError(
      'trusted',
      'Worktrees share branches, configuration and hooks with each other; say `trusted: true` if the agent may write all of them',
    );
  if (wanted === 'clone' || wanted === 'worktree' || host.strategies.includes(wanted)) return [wanted];
  throw new StrategyUnavailableError(
    `Strategy "${wanted}" does not work here, or is not listed in \`strategies\`; see \`inspect()\``,
  );
}

async function bookLease(host: CheckoutHost, { leaseId, want, options, lfs, strategies }: Plan): Promise<Lease> {
  const { services } = host;
  const lease: Lease = {
    leaseId,
    owner: services.owner,
    repo: want.addresses[0].url,
    mirrorKey: want.addresses[0].key,
    tenant: options.tenant,
    state: 'making',
    strategy: strategies[0] ?? 'clone',
    createdAt: services.clock.now(),
    expiresAt: undefined,
    generation: undefined,
    commit: undefined,
    template: undefined,
    lfs: lfs !== undefined,
  };
  if (await createLease(services.root, lease)) return lease;
  await clearTheWay(services, leaseId);
  if (await createLease(services.root, lease)) return lease;
  throw new LeaseHeldError(`Lease ${leaseId} is held by another one; wait for its end, or choose another name`, {
    retryAfter: 1000,
  });
}

/** Removes the leftovers of a lease whose owner is dead, or that was kept: naming it again is how one lets go of it. */
async function clearTheWay(services: Services, leaseId: string): Promise<void> {
  const old = await readLease(services.root, leaseId);
  if (old === undefined) return;
  const over = old.state === 'kept' ? { ...old, expiresAt: 0 } : old;
  await sweepLease(services, over);
}

/** Levels of nested submodules when nobody says how many. */
const SUBMODULE_DEPTH = 3;

function submoduleRequest(
  { submodules = false }: CheckoutOptions,
  parts: Omit<SubmoduleRequest, 'policy' | 'depth'>,
): SubmoduleRequest | undefined {
  if (submodules === false) return undefined;
  const { hosts = [], depth = SUBMODULE_DEPTH } = submodules === true ? {} : submodules;
  return { ...parts, depth, policy: { hosts } };
}

async function makeTree(
  host: CheckoutHost,
  plan: Plan,
  lease: Lease,
  supplied: Supply,
): Promise<{ made: Made; lease: Lease }> {
  const { services } = host;
  const folder = workspaceFolder(services.root, lease.leaseId);
  const { options } = plan;
  const source: TreeSource = { supply: supplied, sparse: plan.sparse, lfs: plan.lfs };
  for (const name of plan.strategies) {
    const strategy = strategyNamed(name);
    const { generation, commit } = supplied;
    const template = strategy.templateOf?.(services, source);
    let booked: Lease = { ...lease, strategy: name, generation, commit, template };
    await writeLease(services.root, booked);
    services.step('lease:booked');
    await pin(services.root, booked);
    services.step('lease:pinned');
    if (wantsLfs(source)) await ensureLfs(services, source, options.signal);
    await mkdir(folder, { recursive: true });
    const { branch, identity = services.identity, signal } = options;
    const borrow = async (borrowed: Borrowed): Promise<void> => {
      booked = { ...booked, awaits: undefined, submodules: [...(booked.submodules ?? []), borrowed] };
      await writeLease(services.root, booked);
      await pin(services.root, booked);
    };
    const awaitMirror = async (awaits: string): Promise<void> => {
      booked = { ...booked, awaits };
      await writeLease(services.root, booked);
    };
    const wanted = submoduleRequest(options, {
      sparse: plan.sparse,
      identity,
      signal,
      await: awaitMirror,
      borrow,
    });
    const made = await strategy.make(services, {
      ...source,
      lease: booked,
      folder,
      branch,
      origin: plan.want.addresses[0].url,
      identity,
      signal,
      fill: wanted && ((tree) => fillSubmodules(services, tree, supplied, wanted)),
    });
    if (made !== undefined) return { made, lease: booked };
  }
  throw new StrategyUnavailableError('No strategy had a working tree ready; add `clone`, which always works');
}

type MadeFrom = { readonly made: Made; readonly lease: Lease; readonly supplied: Supply };

async function supplyAndMake(host: CheckoutHost, plan: Plan, lease: Lease): Promise<MadeFrom> {
  const supplied = await supply(host.services, plan.want);
  host.services.step('checkout:supplied');
  return { ...(await makeTree(host, plan, lease, supplied)), supplied };
}

/** A corrupt mirror is replaced by a fresh one and the tree is made once more, without failing the caller. */
async function makeHealed(host: CheckoutHost, plan: Plan, lease: Lease): Promise<MadeFrom> {
  const { services } = host;
  const [{ key }] = plan.want.addresses;
  const generation = (await readMirror(services.root, key))?.generation;
  try {
    return await supplyAndMake(host, plan, lease);
  } catch (error) {
    if (!(error instanceof CorruptRepoError) || generation === undefined) throw error;
    const folder = workspaceFolder(services.root, lease.leaseId);
    await releaseFolder(services, folder);
    await discard(services.root, folder);
    const booked = await readLease(services.root, lease.leaseId);
    if (booked !== undefined) {
      await removeWorktree(services, booked);
      await unpin(services.root, booked);
    }
    await heal(services, plan.want, generation);
    return await supplyAndMake(host, plan, lease);
  }
}

async function undo(host: CheckoutHost, leaseId: string): Promise<void> {
  const lease = await readLease(host.services.root, leaseId);
  if (lease !== undefined) await removeLease(host.services, lease, 'disposed');
}

async function makeWorkspace(host: CheckoutHost, plan: Plan, started: number): Promise<Workspace> {
  const { services } = host;
  const { made, lease, supplied } = await makeHealed(host, plan, await bookLease(host, plan));
  const ready: Lease = { ...lease, state: 'ready' };
  await writeLease(services.root, ready);
  services.step('lease:ready');
  host.used({ supply: supplied, sparse: plan.sparse, lfs: plan.lfs });
  const stats = {
    strategy: lease.strategy,
    warm: made.warm && supplied.fetchMs === 0,
    durationMs: services.clock.monotonic() - started,
    fetchMs: supplied.fetchMs,
  };
  return liveWorkspace({
    context: {
      services,
      leaseId: lease.leaseId,
      folder: workspaceFolder(services.root, lease.leaseId),
      view: made.view,
      agent: made.agent ?? gitDirIn(made.view.hostPath),
      pristineIndex: made.pristineIndex,
      borrowFrom: supplied.gitDir,
      format: supplied.format,
      base: supplied.commit,
      origin: plan.want.addresses[0].url,
      sparse: plan.sparse,
      lfs: plan.lfs,
    },
    lease: ready,
    branch: plan.options.branch,
    identity: plan.options.identity ?? services.identity,
    stats,
    keep: async (expiresAt) => {
      await services.overlays.keep(workspaceFolder(services.root, lease.leaseId));
      await writeLease(services.root, { ...ready, state: 'kept', expiresAt });
    },
    remove: async () => {
      host.gone(lease.leaseId);
      await removeLease(services, ready, 'disposed');
    },
  });
}

/** Makes a workspace; whatever fails, nothing of it stays behind. */
export async function checkout(host: CheckoutHost, options: CheckoutOptions): Promise<Workspace> {
  const { clock, instrumentation } = host.services;
  const started = clock.monotonic();
  const checked = plan(host, options);
  const { leaseId } = checked;
  const info = { repo: checked.want.addresses[0].url, ref: options.ref, tenant: options.tenant, leaseId };
  const work = (): Promise<Workspace> => withDiskFull(() => makeWorkspace(host, checked, started));
  try {
    const workspace = await (instrumentation.aroundCheckout ? instrumentation.aroundCheckout(work, info) : work());
    const { strategy, warm, durationMs } = workspace.stats;
    notify(instrumentation.onCheckedOut, { ...info, strategy, warm, durationMs });
    return workspace;
  } catch (error) {
    if (!(error instanceof LeaseHeldError)) await undo(host, leaseId);
    const code = error instanceof WorkspaceError ? error.code : 'ERR_UNKNOWN';
    notify(instrumentation.onCheckoutFailed, { ...info, code, durationMs: clock.monotonic() - started });
    throw error;
  }
}
