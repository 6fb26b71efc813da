import { rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { addressesOf, type CheckoutHost, checkout } from './checkout.ts';
import { systemClock } from './clock.ts';
import { toMilliseconds } from './duration.ts';
import { DisposedError, InvalidOptionError, RefusedByPolicyError } from './errors.ts';
import { withDiskFull } from './files/disk-full.ts';
import { beat, HEARTBEAT_MS, heartbeatFile, newOwner } from './files/owner.ts';
import { createRemovals } from './files/removals.ts';
import { fileSettings, hostEnvironment, hostSettings, settingsFile } from './git/environment.ts';
import { type GitProbe, probeGit } from './git/probe.ts';
import { resolveRemote } from './git/remote.ts';
import { createGit } from './git/run.ts';
import { diagnose, inspectRoot } from './inspect.ts';
import { notify } from './instrumentation.ts';
import { sweep } from './lease/remove.ts';
import { ensureLfs, wantsLfs } from './lfs/fill.ts';
import { lfsSource } from './lfs/options.ts';
import type {
  PrefetchOptions,
  ResolveOptions,
  WorkspaceLimits,
  WorkspaceManager,
  WorkspaceManagerOptions,
} from './manager.ts';
import { markStale, refresh, supply, type Want } from './mirror/mirrors.ts';
import { createOverlays } from './overlay/overlays.ts';
import { admit, prune } from './prune.ts';
import { checkRefName, checkSparse, isCommitId } from './repository.ts';
import { makeRoot, rootAt } from './root.ts';
import type { ResolvedLimits, Services } from './services.ts';
import { defaultStrategies, strategyNamed } from './strategies/all.ts';
import type { StrategyName, StrategyProbe } from './strategy.ts';
import { templateIdOf } from './template/layers.ts';
import { listShelves, restock } from './template/pool.ts';
import { ensureTemplate } from './template/templates.ts';
import type { TreeSource } from './template/tree.ts';
import type { Workspace } from './workspace.ts';

const MEBIBYTE = 1024 * 1024;

function resolveLimits(limits: WorkspaceLimits = {}): ResolvedLimits {
  return {
    networkTimeoutMs: toMilliseconds(limits.networkTimeout ?? '15m', 'limits.networkTimeout'),
    gitTimeoutMs: toMilliseconds(limits.gitTimeout ?? '5m', 'limits.gitTimeout'),
    rootBytes: limits.rootBytes ?? Number.POSITIVE_INFINITY,
    workspaceBytes: limits.workspaceBytes ?? Number.POSITIVE_INFINITY,
    workspaceInodes: limits.workspaceInodes ?? Number.POSITIVE_INFINITY,
    tenantBytes: limits.tenantBytes ?? Number.POSITIVE_INFINITY,
    tenantInodes: limits.tenantInodes ?? Number.POSITIVE_INFINITY,
    freeBytes: limits.freeBytes ?? 256 * MEBIBYTE,
  };
}

/** The parts that a manager's calls share. */
function createServices(options: WorkspaceManagerOptions, step: (name: string) => void): Services {
  if (typeof options.root !== 'string' || options.root === '')
    throw new InvalidOptionError('root', 'must name a directory');
  const root = rootAt(options.root);
  const protocols = options.allowedProtocols ?? ['https'];
  const symlinks = options.symlinks ?? true;
  const limits = resolveLimits(options.limits);
  const clock = options.clock ?? systemClock;
  const owner = newOwner();
  const settings = hostSettings({ symlinks, protocols });
  return {
    root,
    owner,
    overlays: createOverlays(root, owner, options.userNamespaces ?? false),
    removals: createRemovals(),
    git: createGit({
      program: options.git ?? 'git',
      environment: hostEnvironment(root.home, root.gitConfig, settings, protocols),
      concurrency: options.concurrency ?? 2 * availableParallelism(),
      timeoutMs: limits.gitTimeoutMs,
      clock,
    }),
    clock,
    limits,
    askIntervalMs: toMilliseconds(options.askInterval ?? 0, 'askInterval'),
    protocols,
    credentials: options.credentials,
    identity: options.identity ?? { name: 'Millrace', email: 'millrace@localhost' },
    rules: options.rules ?? {},
    symlinks,
    instrumentation: options.instrumentation ?? {},
    log: options.log ?? { info: () => undefined, warn: () => undefined },
    step,
  };
}

/** What was found out at the start. */
interface Started {
  readonly git: GitProbe;
  readonly probes: readonly StrategyProbe[];
  readonly strategies: readonly StrategyName[];
  readonly stop: () => Promise<void>;
}

function keepBeating(services: Services): () => Promise<void> {
  const timer = setInterval(() => {
    beat(services.root.owners, services.owner).catch(() => undefined);
  }, HEARTBEAT_MS).unref();
  return async () => {
    clearInterval(timer);
    await rm(heartbeatFile(services.root.owners, services.owner), { force: true });
  };
}

async function start(services: Services, options: WorkspaceManagerOptions): Promise<Started> {
  const { root, log } = services;
  await makeRoot(root);
  await writeFile(root.gitConfig, settingsFile(fileSettings(services)));
  await beat(root.owners, services.owner);
  const git = await probeGit(services);
  if (git.unsafe.length > 0 && options.allowUnsafeGit !== true) {
    throw new RefusedByPolicyError(
      'unsafe-git',
      `git ${git.version} shows ${git.unsafe.join(', ')}. Update git, or set \`allowUnsafeGit\``,
    );
  }
  await sweep(services);
  const names = options.strategies ?? defaultStrategies;
  const probes = await Promise.all(names.map((name) => strategyNamed(name).probe(services)));
  const strategies = probes.filter((probe) => probe.available).map((probe) => probe.strategy);
  if (strategies.length === 0)
    throw new InvalidOptionError(
      'strategies',
      `hold none that works here: ${probes.map((probe) => probe.reason).join('; ')}`,
    );
  log.info({ git: git.version, strategies, probes }, 'Workspace manager is ready');
  return { git, probes, strategies, stop: keepBeating(services) };
}

/** Fills the pool in the background; one filling per kind of tree at a time. */
function restocker(
  services: Services,
  size: number,
): { readonly wanted: (source: TreeSource) => void; readonly stop: () => Promise<void> } {
  const running = new Map<string, Promise<void>>();
  const abort = new AbortController();
  return {
    wanted: (source) => {
      const key = templateIdOf(services, source);
      if (size === 0 || running.has(key) || abort.signal.aborted) return;
      const work = restock(services, source, size, abort.signal)
        .catch((error: unknown) => {
          if (!abort.signal.aborted) services.log.warn({ err: error }, 'The pool could not be filled');
        })
        .finally(() => running.delete(key));
      running.set(key, work);
    },
    stop: async () => {
      abort.abort();
      await Promise.all(running.values());
    },
  };
}

/**
 * Tells the observer of the books. The pool is counted on disk, where other managers take from it and add to it; a
 * change during a count is told by the next one, so that a burst of checkouts costs two counts and not one each.
 */
function gaugeReporter(services: Services, workspaces: () => number): () => void {
  const { onGauges } = services.instrumentation;
  let [counting, outdated] = [false, false];
  const report = async (): Promise<void> => {
    do {
      outdated = false;
      const poolReady = (await listShelves(services)).reduce((sum, { members }) => sum + members, 0);
      const [gitProcesses, gitWaiting] = [services.git.running(), services.git.waiting()];
      notify(onGauges, { workspaces: workspaces(), gitProcesses, gitWaiting, poolReady });
    } while (outdated);
  };
  return () => {
    outdated = true;
    if (onGauges === undefined || counting) return;
    counting = true;
    report()
      .catch((error: unknown) => services.log.warn({ err: error }, 'The pool could not be counted'))
      .finally(() => {
        counting = false;
      });
  };
}

/** The manager with its crash points open; the public function closes them. */
export function buildManager(options: WorkspaceManagerOptions, step: (name: string) => void): WorkspaceManager {
  const services = createServices(options, step);
  const maxAgeMs = toMilliseconds(options.maxAge ?? 0, 'maxAge');
  const live = new Map<string, Workspace>();
  const stock = restocker(services, options.pool?.size ?? 2);
  let started: Promise<Started> | undefined;
  let closing: Promise<void> | undefined;

  const ready = (): Promise<Started> => {
    if (closing !== undefined) throw new DisposedError('The workspace manager was closed');
    started ??= withDiskFull(() => start(services, options)).catch((error: unknown) => {
      // The next call tries again: a full disk or a missing right may be cured by then.
      started = undefined;
      throw error;
    });
    return started;
  };
  const gauges = gaugeReporter(services, () => live.size);
  const hostOf = ({ strategies }: Started): CheckoutHost => ({
    services,
    strategies,
    maxAgeMs,
    used: (source) => {
      if (strategies.find((name) => name !== 'clone') === 'pool') stock.wanted(source);
    },
    gone: (leaseId) => {
      live.delete(leaseId);
      gauges();
    },
  });
  const close = async (): Promise<void> => {
    await stock.stop();
    const left = await Promise.allSettled([...live.values()].map((workspace) => workspace.dispose()));
    await (await started?.catch(() => undefined))?.stop();
    services.overlays.close();
    services.removals.close();
    services.git.close();
    const failed = left.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  const manager: WorkspaceManager = {
    ready: async () => {
      await ready();
    },
    checkout: async (request) => {
      const state = await ready();
      await admit(services, request.tenant);
      const workspace = await checkout(hostOf(state), request);
      const keep = workspace.keep;
      const kept: Workspace = Object.assign(workspace, {
        keep: async (duration?: Parameters<Workspace['keep']>[0]) => {
          await keep(duration);
          live.delete(workspace.leaseId);
        },
      });
      live.set(workspace.leaseId, kept);
      gauges();
      return kept;
    },
    resolve: async (request) => {
      await ready();
      return await resolveOnly(services, request);
    },
    prefetch: async (repo, request = {}) => {
      const state = await ready();
      const poolSize = options.pool?.size ?? 2;
      await withDiskFull(() => prefetch(services, state.strategies, poolSize, repo, request));
    },
    hint: async (repo) => {
      await ready();
      await markStale(services, addressesOf(services, repo)[0].key);
    },
    prune: async ({ signal } = {}) => {
      await ready();
      return await prune(services, signal);
    },
    doctor: async () => {
      const { probes, git } = await ready();
      return await diagnose(services, git, probes);
    },
    inspect: async () => {
      const { probes, git } = await ready();
      return await inspectRoot(services, git, probes);
    },
    close: () => {
      closing ??= close();
      return closing;
    },
    [Symbol.asyncDispose]: () => manager.close(),
  };
  return manager;
}

async function resolveOnly(
  services: Services,
  { repo, ref, signal }: ResolveOptions,
): Promise<{ readonly sha: string }> {
  const [address] = addressesOf(services, repo);
  if (ref !== undefined) checkRefName(ref, 'ref');
  const isId = ref !== undefined && isCommitId(ref);
  const { id } = await resolveRemote(services, address, isId ? undefined : ref, signal);
  return { sha: isId ? ref : id };
}

async function prefetch(
  services: Services,
  strategies: readonly StrategyName[],
  poolSize: number,
  repo: string,
  request: PrefetchOptions,
): Promise<void> {
  const { warm, signal, onProgress } = request;
  const sparse = checkSparse(warm?.sparse ?? []);
  if (warm?.ref !== undefined) checkRefName(warm.ref, 'warm.ref');
  const want: Want = {
    addresses: addressesOf(services, repo, request.remotes),
    ref: warm?.ref,
    maxAgeMs: 0,
    partial: request.partial ?? false,
    signal,
    onProgress,
  };
  await refresh(services, want);
  if (warm === undefined) return;
  const lfs = lfsSource(services, want.addresses[0], warm.lfs, onProgress);
  const source: TreeSource = { supply: await supply(services, want), sparse, lfs };
  if (wantsLfs(source)) await ensureLfs(services, source, signal);
  if (strategies[0] === 'overlay') await ensureTemplate(services, source, signal);
  else if (strategies[0] === 'snapshot') await ensureTemplate(services, { ...source, subvolume: true }, signal);
  else if (strategies.includes('pool')) await restock(services, source, poolSize, signal);
}

/**
 * Makes workspaces from shared mirrors below one directory. Returns at once; the root is prepared at the first call or
 * at `ready()`. Several managers, in one process or many of one machine, may share a root.
 *
 * @throws {InvalidOptionError} {@link InvalidDurationError} when an option can not work
 * @example
 * ```ts
 * await using manager = createWorkspaceManager({ root: '/var/lib/millrace' });
 * await using workspace = await manager.checkout({ repo: 'https://github.com/sindresorhus/got.git', branch: 'agent/1' });
 * await workspace.exec('sh', ['-c', 'echo hello > hello.txt']);
 * await workspace.commitAll('Say hello');
 * await workspace.push();
 * ```
 */
export function createWorkspaceManager(options: WorkspaceManagerOptions): WorkspaceManager {
  return buildManager(options, () => undefined);
}
