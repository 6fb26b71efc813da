import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../config-values.ts';
import { type ControlGroup, type ControlGroups, findControlGroups } from './cgroup.ts';
import type { Execution, ExecutionResult, Executor, ExecutorLimits } from './executor.ts';
import { insideForwarder, openWayOut, startInside } from './forwarder.ts';
import { runLeashed } from './leash.ts';
import { parseExecutorUrl } from './url.ts';

const run = promisify(execFile);

/** Parts of the system that programs need besides `/usr`; what is not there is left out. Nothing of them is secret. */
const systemFiles = [
  ...['ssl', 'ca-certificates', 'alternatives', 'passwd', 'group', 'nsswitch.conf', 'localtime', 'ld.so.cache'],
  ...['hosts', 'resolv.conf', 'gitconfig'],
].map((name) => `/etc/${name}`);

const namePrefix = 'millrace-';

export interface BwrapOptions {
  /** Program to use. @default 'bwrap' */
  readonly program: string;
  readonly limits: ExecutorLimits;
  /** `none`: nothing but the address a run must reach; `host`: that of this machine. */
  readonly network: 'none' | 'host';
}

/**
 * The executor of `bwrap:?memory=2g&cpus=1&pids=512&network=none`.
 * @throws {ConfigError} when bubblewrap or the limits that were asked for cannot be had here.
 */
export async function openBwrap(url: string): Promise<Executor> {
  const { path, limits, parameters } = parseExecutorUrl(url, ['network']);
  const network = parameters.get('network') ?? 'none';
  if (network !== 'none' && network !== 'host') {
    throw new ConfigError(`EXECUTOR_URL bwrap: network must be none or host, not ${network}.`);
  }
  const options: BwrapOptions = { program: path || 'bwrap', limits, network };
  await checkProgram(options.program);
  const groups = await findControlGroups();
  if (!groups && Object.keys(limits).length > 0) {
    throw new ConfigError(
      'EXECUTOR_URL bwrap: cannot limit memory, cpus or pids, because this process may not write /sys/fs/cgroup; run it as root, delegate a control group to it (systemd: Delegate=yes), or leave the limits out.',
    );
  }
  await groups?.sweep(isLost);
  return bwrapExecutor(options, groups);
}

async function checkProgram(program: string): Promise<void> {
  try {
    await run(program, [...sandbox, '--ro-bind', '/usr', '/usr', ...links, '/usr/bin/true']);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const cure = missing
      ? 'install it (apt-get install bubblewrap)'
      : `it must be allowed to make namespaces: ${String((cause as { stderr?: string }).stderr).trim()}`;
    throw new ConfigError(`EXECUTOR_URL bwrap: cannot run ${program}; ${cure}.`, { cause });
  }
}

/** Every namespace, no right of root, no way to type into the server's terminal; dies with the server. */
const sandbox = [
  ...['--unshare-all', '--unshare-user', '--uid', '1000', '--gid', '1000', '--cap-drop', 'ALL'],
  ...['--die-with-parent', '--new-session', '--hostname', 'run'],
];
const links = ['bin', 'sbin', 'lib', 'lib32', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]);

function bwrapExecutor(options: BwrapOptions, groups: ControlGroups | undefined): Executor {
  return {
    name: 'bwrap',
    capabilities: {
      files: true,
      processes: true,
      network: options.network === 'none',
      limits: groups?.limits ?? [],
    },
    async run(execution) {
      const group = await groups?.create(`${namePrefix}${process.pid}-${execution.runId}`, options.limits);
      try {
        return await runInside(execution, options, group);
      } finally {
        await group?.remove();
      }
    },
  };
}

async function runInside(
  execution: Execution,
  options: BwrapOptions,
  group: ControlGroup | undefined,
): Promise<ExecutionResult> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-way-out-'));
  try {
    await chmod(folder, 0o711);
    const reach = options.network === 'none' ? execution.reach : undefined;
    await using wayOut = reach === undefined ? undefined : await openWayOut(join(folder, 'socket'), reach);
    const result = await runLeashed(execution, {
      command: options.program,
      args: argumentsOf(execution, options, reach === undefined ? undefined : { folder, reach }),
      groups: group?.joinFiles ?? [],
      directory: '/',
      // The namespace of processes ends with its first one, and everything in it.
      killRest: async () => {},
    });
    void wayOut;
    const outOfMemory = result.reason === 'exited' && result.exitCode !== 0 && (await group?.outOfMemory());
    return outOfMemory ? { ...result, reason: 'oom' } : result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function argumentsOf(
  { command, args, directory, mounts }: Execution,
  { network }: BwrapOptions,
  wayOut: { readonly folder: string; readonly reach: string } | undefined,
): string[] {
  const bound = mounts.flatMap(({ path, readOnly }) => [readOnly ? '--ro-bind' : '--bind', path, path]);
  return [
    ...sandbox,
    ...(network === 'host' ? ['--share-net'] : []),
    ...['--ro-bind', '/usr', '/usr', ...links, '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...[...systemFiles, nodeFolder].flatMap((path) => ['--ro-bind-try', path, path]),
    ...bound,
    ...(wayOut ? ['--bind', wayOut.folder, wayOut.folder] : []),
    ...['--remount-ro', '/', '--chdir', directory, '--'],
    ...(wayOut ? throughWayOut(wayOut) : []),
    command,
    ...args,
  ];
}

/** Where Node lies, with its libraries: agents are Node programs, and it need not be below `/usr`. */
const nodeFolder = dirname(dirname(process.execPath));

function throughWayOut({ folder, reach }: { readonly folder: string; readonly reach: string }): string[] {
  const { port, protocol } = new URL(reach);
  const heard = port || (protocol === 'https:' ? '443' : '80');
  return ['/bin/sh', '-c', startInside, 'millrace', process.execPath, insideForwarder, join(folder, 'socket'), heard];
}

/** A group whose name has the id of a process that is gone. */
function isLost(name: string): boolean {
  const pid = name.startsWith(namePrefix) ? Number(name.slice(namePrefix.length).split('-', 1)[0]) : Number.NaN;
  if (!Number.isInteger(pid)) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
