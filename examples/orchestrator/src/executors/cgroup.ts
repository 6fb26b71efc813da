import { access, constants, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutorLimits } from './executor.ts';

/** A control group of one program. */
export interface ControlGroup {
  /** A process joins by writing its id to these. */
  readonly joinFiles: readonly string[];
  /** Whether the kernel ended a process of the group for want of memory. */
  outOfMemory(): Promise<boolean>;
  /** Ends every process of the group and removes it. */
  remove(): Promise<void>;
}

/** What makes control groups, in the way that this machine has them. */
export interface ControlGroups {
  readonly limits: readonly (keyof ExecutorLimits)[];
  create(name: string, limits: ExecutorLimits): Promise<ControlGroup>;
  /** Removes the groups of processes that are gone; `isOurs` tells by the name. */
  sweep(isLost: (name: string) => boolean): Promise<void>;
}

const period = 100_000;

/** File and value of each limit: version 1, with its controller, and version 2. */
const settings = {
  memory: [['memory', 'memory.limit_in_bytes'], 'memory.max', (bytes: number) => String(bytes)],
  cpus: [
    ['cpu', 'cpu.cfs_quota_us'],
    'cpu.max',
    (cpus: number, version: 1 | 2) =>
      `${Math.max(1000, Math.round(cpus * period))}${version === 2 ? ` ${period}` : ''}`,
  ],
  pids: [['pids', 'pids.max'], 'pids.max', (count: number) => String(Math.floor(count))],
} as const satisfies Record<
  keyof ExecutorLimits,
  readonly [readonly [string, string], string, (value: number, version: 1 | 2) => string]
>;

const names = Object.keys(settings) as (keyof ExecutorLimits)[];

/** The control groups of this machine; `undefined` where this process may make none. */
export async function findControlGroups(root = '/sys/fs/cgroup'): Promise<ControlGroups | undefined> {
  const controllers = (await readFile(join(root, 'cgroup.controllers'), 'utf8').catch(() => '')).split(/\s+/);
  if (controllers.includes('memory')) {
    const allowed = await writeFile(join(root, 'cgroup.subtree_control'), '+memory +cpu +pids').then(
      () => true,
      () => false,
    );
    return allowed ? groupsOf(2, [root], root) : undefined;
  }
  const folders = names.map((name) => join(root, settings[name][0][0]));
  const writable = await Promise.all(folders.map(mayWrite));
  return writable.every(Boolean) ? groupsOf(1, folders, root) : undefined;
}

async function mayWrite(folder: string): Promise<boolean> {
  return await access(join(folder, 'cgroup.procs'), constants.W_OK).then(
    () => true,
    () => false,
  );
}

function groupsOf(version: 1 | 2, folders: readonly string[], root: string): ControlGroups {
  return {
    limits: names,
    async create(name, limits) {
      const paths = folders.map((folder) => join(folder, name));
      for (const path of paths) await mkdir(path, { recursive: true });
      for (const limit of names) {
        const value = limits[limit];
        if (value !== undefined) await writeLimit(version, root, name, limit, value);
      }
      return {
        joinFiles: paths.map((path) => join(path, 'cgroup.procs')),
        outOfMemory: () => ranOutOfMemory(version, root, name),
        remove: () => removeGroups(paths),
      };
    },
    async sweep(isLost) {
      for (const folder of folders) {
        const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
        const lost = found.filter((entry) => entry.isDirectory() && isLost(entry.name));
        await removeGroups(lost.map((entry) => join(folder, entry.name)));
      }
    },
  };
}

async function writeLimit(
  version: 1 | 2,
  root: string,
  name: string,
  limit: keyof ExecutorLimits,
  value: number,
): Promise<void> {
  const [[controller, first], second, format] = settings[limit];
  const path = version === 1 ? join(root, controller, name, first) : join(root, name, second);
  await writeFile(path, format(value, version));
}

async function ranOutOfMemory(version: 1 | 2, root: string, name: string): Promise<boolean> {
  const path = version === 1 ? join(root, 'memory', name, 'memory.oom_control') : join(root, name, 'memory.events');
  const text = await readFile(path, 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0) > 0;
}

/** The kernel frees a group a moment after its last process has ended. */
async function removeGroups(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    for (let attempt = 0; attempt < 100; attempt++) {
      const pids = (await readFile(join(path, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
      for (const pid of pids) kill(Number(pid));
      const done = await rmdir(path).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      );
      if (done) break;
      await sleep(10);
    }
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
