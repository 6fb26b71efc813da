import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Duration, toMilliseconds } from './duration.ts';
import { DisposedError, GitTimeoutError, InvalidOptionError, RefusedByPolicyError } from './errors.ts';
import { withDiskFull } from './files/disk-full.ts';
import { cleanEnvironment } from './git/environment.ts';
import { redact } from './git/redact.ts';
import { writeBundle } from './host/bundle.ts';
import { commitWorkingTree } from './host/commit.ts';
import { type HostContext, type HostRepository, openHostRepository } from './host/host-repository.ts';
import { importAgentCommits } from './host/import.ts';
import { pushTip } from './host/publish.ts';
import { resolveRules } from './host/rules.ts';
import { readTree } from './host/trees.ts';
import { moveWorkingTree, statusEntries, writeWorkingTree } from './host/working-tree.ts';
import type { Lease } from './lease/lease.ts';
import type { TreeView } from './overlay/mounts.ts';
import { runProcess } from './process.ts';
import { checkWorkspace } from './quota.ts';
import { checkRefName, isCommitId, parseRepository } from './repository.ts';
import type {
  BundleOptions,
  Cancellable,
  Checkpoint,
  Commit,
  CommitOptions,
  DiffOptions,
  ExecOptions,
  ExecResult,
  Identity,
  Launch,
  PublishRules,
  PushOptions,
  PushResult,
  Workspace,
  WorkspaceStats,
  WorkspaceStatus,
} from './workspace.ts';

const MEBIBYTE = 1024 * 1024;

/** Time a kept workspace lives when nobody says how long, in milliseconds. */
const KEEP_MS = 24 * 60 * 60 * 1000;

const diffArguments: Readonly<Record<NonNullable<DiffOptions['format']>, readonly string[]>> = {
  patch: ['--patch'],
  binary: ['--binary', '--full-index'],
  stat: ['--stat'],
  numstat: ['--numstat'],
  'name-status': ['--name-status'],
};

/** What a live workspace is made of. */
export interface LiveWorkspaceParts {
  readonly context: HostContext;
  readonly lease: Lease;
  readonly branch: string | undefined;
  readonly identity: Identity;
  readonly stats: WorkspaceStats;
  /** Writes the lease as kept until a time in milliseconds since the epoch. */
  readonly keep: (until: number) => Promise<void>;
  /** Removes everything. */
  readonly remove: () => Promise<void>;
}

/** Puts calls one after the other: two of them in one index at once would disturb each other. */
function line(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}

function launchIn(view: TreeView, command: string, args: readonly string[], cwd: string): Launch {
  const [program, ...before] = view.enter(cwd);
  return program === undefined
    ? { command, args, cwd }
    : { command: program, args: [...before, command, ...args], cwd: '/' };
}

async function execute(
  parts: LiveWorkspaceParts,
  command: string,
  args: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { view, folder, services } = parts.context;
  const cwd = resolve(view.path, options.cwd ?? '.');
  if (cwd !== view.path && !cwd.startsWith(`${view.path}/`))
    throw new RefusedByPolicyError('path', `${options.cwd} is outside of the workspace`);
  const home = join(folder, 'home');
  await mkdir(home, { recursive: true });
  const timeoutMs = toMilliseconds(options.timeout ?? '10m', 'timeout');
  const result = await runProcess({
    ...launchIn(view, command, args, cwd),
    env: { ...cleanEnvironment(home), GIT_TERMINAL_PROMPT: '0', ...options.env },
    input: options.stdin,
    timeoutMs,
    signal: options.signal,
    maxOutput: options.maxOutput ?? 16 * MEBIBYTE,
    onOutput: options.onOutput,
    clock: services.clock,
  });
  if (result.timedOut)
    throw new GitTimeoutError(`${redact(command)} did not end within ${timeoutMs} ms and was killed with its children`);
  const { exitCode, signal, truncated } = result;
  return {
    exitCode,
    signal,
    truncated,
    stdout: result.stdout.toString('utf8'),
    stderr: result.stderr.toString('utf8'),
  };
}

async function readStatus(
  parts: LiveWorkspaceParts,
  host: HostRepository,
  options: Cancellable,
): Promise<WorkspaceStatus> {
  const head = await importAgentCommits(host, resolveRules(parts.context.services.rules), options.signal);
  const entries = await statusEntries(host, options.signal);
  return { head, branch: parts.branch, clean: entries.length === 0, entries };
}

async function readDiff(parts: LiveWorkspaceParts, host: HostRepository, options: DiffOptions): Promise<Buffer> {
  const rules = resolveRules(parts.context.services.rules);
  const { format = 'patch', from = 'base', maxBytes = 64 * MEBIBYTE, signal } = options;
  if (options.to !== undefined && !isCommitId(options.to)) throw new InvalidOptionError('to', 'must be a commit id');
  const tip = await importAgentCommits(host, rules, signal);
  const to = options.to ?? (await writeWorkingTree(host, rules, signal)).tree;
  const { stdout, truncated } = await host.run({
    what: 'Comparing',
    args: [
      'diff',
      '--no-color',
      '--no-ext-diff',
      '--no-textconv',
      '--no-renames',
      ...diffArguments[format],
      from === 'base' ? parts.context.base : tip,
      to,
      '--',
    ],
    maxOutput: maxBytes,
    signal,
  });
  if (truncated)
    throw new RefusedByPolicyError(
      'diff-size',
      `The diff is larger than ${maxBytes} bytes; raise \`maxBytes\` or take \`stat\``,
    );
  return stdout;
}

async function checkpoint(parts: LiveWorkspaceParts, host: HostRepository, options: Cancellable): Promise<Checkpoint> {
  const rules = resolveRules(parts.context.services.rules);
  const head = await importAgentCommits(host, rules, options.signal);
  const { tree } = await writeWorkingTree(host, rules, options.signal);
  return { tree, head };
}

async function restoreTo(
  parts: LiveWorkspaceParts,
  host: HostRepository,
  { tree }: Checkpoint,
  options: Cancellable,
): Promise<void> {
  await readTree(host, tree, options.signal);
  await moveWorkingTree(host, resolveRules(parts.context.services.rules), tree, options.signal);
}

function pushTarget(
  parts: LiveWorkspaceParts,
  options: PushOptions,
): { readonly remote: ReturnType<typeof parseRepository>; readonly branch: string } {
  const branch = options.branch ?? parts.branch;
  if (branch === undefined)
    throw new RefusedByPolicyError('branch', 'The workspace is on no branch; name one to push to');
  checkRefName(branch, 'branch');
  return { branch, remote: parseRepository(options.remote ?? parts.context.origin, parts.context.services.protocols) };
}

/** Makes the object that users hold. */
export function liveWorkspace(parts: LiveWorkspaceParts): Workspace {
  const { context, lease, branch, stats, identity } = parts;
  const inLine = line();
  let host: HostRepository | undefined;
  let removal: Promise<void> | undefined;
  const onHost = <T>(work: (host: HostRepository) => Promise<T>): Promise<T> =>
    inLine(async () => {
      if (removal !== undefined)
        throw new DisposedError(`Workspace ${lease.leaseId} was disposed; check out a new one`);
      return await withDiskFull(async () => {
        host ??= await openHostRepository(context);
        return await work(host);
      });
    });
  const rulesOf = (rules: PublishRules | undefined): ReturnType<typeof resolveRules> =>
    resolveRules(context.services.rules, rules);
  const dispose = (): Promise<void> => {
    removal ??= parts.remove();
    return removal;
  };
  return {
    leaseId: lease.leaseId,
    path: context.view.path,
    hostPath: context.view.hostPath,
    base: context.base,
    branch,
    stats,
    exec: async (command, args = [], options = {}) => {
      if (removal !== undefined)
        throw new DisposedError(`Workspace ${lease.leaseId} was disposed; check out a new one`);
      return await execute(parts, command, args, options);
    },
    launch: (command, args = []) => launchIn(context.view, command, args, context.view.path),
    status: (options = {}) => onHost((host) => readStatus(parts, host, options)),
    diff: async (options = {}) => (await onHost((host) => readDiff(parts, host, options))).toString('utf8'),
    patch: (options = {}) => onHost((host) => readDiff(parts, host, { format: 'binary', ...options })),
    commitAll: (options: string | CommitOptions): Promise<Commit | undefined> => {
      const commit = typeof options === 'string' ? { message: options } : options;
      return onHost(async (host) => {
        await checkWorkspace(context.services, lease.leaseId);
        return await commitWorkingTree(host, commit, identity, rulesOf(undefined));
      });
    },
    bundle: (options: BundleOptions) => onHost((host) => writeBundle(host, branch, rulesOf(options.rules), options)),
    push: (options: PushOptions = {}): Promise<PushResult> =>
      onHost((host) => {
        const target = pushTarget(parts, options);
        return pushTip(host, target.remote, target.branch, rulesOf(options.rules), options);
      }),
    snapshot: (options = {}) => onHost((host) => checkpoint(parts, host, options)),
    restore: (point, options = {}) => onHost((host) => restoreTo(parts, host, point, options)),
    keep: async (duration: Duration = KEEP_MS) =>
      parts.keep(context.services.clock.now() + toMilliseconds(duration, 'duration')),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
