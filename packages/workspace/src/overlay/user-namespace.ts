import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { isAlive, type Owner, ownerOfProcess } from '../files/owner.ts';
import { readRecord, writeRecord } from '../files/record.ts';
import { killGroup } from '../process.ts';
import type { Root } from '../root.ts';
import { TOOL_TIMEOUT_MS, toolEnvironment } from '../tool.ts';
import {
  mountError,
  mountOptions,
  type OverlayMounts,
  type OverlayRequest,
  prepareFolders,
  type TreeView,
} from './mounts.ts';

/**
 * A process that owns the namespaces of one workspace: root there, nobody special outside. It ends with its standard
 * input, so that a manager that is killed leaves no mount; the word `keep` lets it stay.
 */
const keeperProgram = `mount -t overlay -o "$1" -- millrace "$2" || exit 32
echo mounted
read -r word || exit 0
[ "$word" = keep ] || exit 0
exec sleep infinity`;

/** Its name in the folder of a workspace: who may be killed to end the mount. */
const RECORD = 'keeper.json';

function startKeeper(request: OverlayRequest): ChildProcess {
  const options = `userxattr,${mountOptions(request)}`;
  const args = ['--user', '--map-root-user', '--mount', 'sh', '-c', keeperProgram, 'keeper', options];
  const child = spawn('unshare', [...args, join(request.folder, 'tree')], {
    cwd: '/',
    env: toolEnvironment(),
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin?.on('error', () => undefined);
  return child;
}

/** Waits for the keeper's word; its complaints when it ends instead. */
function mountedOrWords(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    let words = '';
    const timer = systemClock.setTimeout(() => killGroup(child), TOOL_TIMEOUT_MS);
    const settle = (answer: string | undefined): void => {
      systemClock.clearTimeout(timer);
      resolve(answer);
    };
    child.stderr?.on('data', (chunk: Buffer) => {
      words += chunk.toString('utf8');
    });
    child.stdout?.once('data', () => settle(undefined));
    child.once('error', (error) => settle(error.message));
    child.once('close', () => settle(words.trim() || 'the namespace ended at once'));
  });
}

function letGo(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as Socket | null)?.unref();
}

/**
 * Enters the mount namespace and, inside it, a user namespace in which the program is the user that it would be
 * outside: it has no right over the mounts, and programs that refuse to be root do not find themselves root.
 */
function viewOf(pid: number, folder: string): TreeView {
  const path = join(folder, 'tree');
  const [user, group] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  return {
    path,
    hostPath: `/proc/${pid}/root${path}`,
    enter: (directory) => [
      ...['nsenter', '--user', '--mount', '--preserve-credentials', `--target=${pid}`],
      ...['unshare', '--user', `--map-user=${user}`, `--map-group=${group}`, `--wd=${directory}`, '--'],
    ],
  };
}

async function endKeeper(root: Root, folder: string, child: ChildProcess | undefined): Promise<void> {
  const record = await readRecord<Owner>(join(folder, RECORD));
  if (child?.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.ref();
    killGroup(child);
    await ended;
  } else if (record !== undefined && (await isAlive(root.owners, record))) {
    process.kill(record.pid, 'SIGKILL');
  }
}

/** Mounts in user namespaces, without any right. */
export function userNamespaceMounts(root: Root): OverlayMounts {
  const keepers = new Map<string, ChildProcess>();
  return {
    userAttributes: true,
    mount: async (request) => {
      const { folder } = request;
      await prepareFolders(request);
      const child = startKeeper(request);
      keepers.set(folder, child);
      const words = await mountedOrWords(child);
      if (words !== undefined || child.pid === undefined) throw mountError(words ?? 'unshare can not be started');
      await writeRecord(join(folder, RECORD), ownerOfProcess(child.pid));
      letGo(child);
      return viewOf(child.pid, folder);
    },
    release: async (folder) => {
      await endKeeper(root, folder, keepers.get(folder));
      keepers.delete(folder);
    },
    keep: async (folder) => {
      keepers.get(folder)?.stdin?.write('keep\n');
    },
    close: () => undefined,
  };
}
