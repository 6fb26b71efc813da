import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The folder that keeps what is expensive to make (server binaries, data templates) between test runs. */
export async function cacheFolder(): Promise<string> {
  const preferred = join(ROOT, 'node_modules', '.cache', 'millrace');
  try {
    await mkdir(preferred, { recursive: true });
    await access(preferred, constants.W_OK);
    return preferred;
  } catch {
    return publicCacheFolder(); // the checkout belongs to somebody else
  }
}

/** A cache outside the checkout, written by this user only and readable by all: for programs run as another account. */
export async function publicCacheFolder(): Promise<string> {
  const { uid } = userInfo();
  const folder = join(tmpdir(), `millrace-cache-${uid}`);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  if ((await stat(folder)).uid !== uid && uid >= 0) {
    throw new Error(`${folder} belongs to another user: remove it, or run the tests with another TMPDIR.`);
  }
  return folder;
}

/**
 * Returns the cached folder `name`, made once by `make` however many test processes ask at the same moment:
 * one of them makes it in a draft beside it and renames it when it is complete, the others wait.
 */
export async function cachedFolder(
  name: string,
  make: (draft: string) => Promise<void>,
  within?: string,
): Promise<string> {
  const target = join(within ?? (await cacheFolder()), name);
  await mkdir(dirname(target), { recursive: true });
  while (!(await exists(target))) {
    const lock = await tryLock(`${target}.lock`);
    if (!lock) {
      await sleep(100);
      continue;
    }
    try {
      if (!(await exists(target))) await makeDraft(target, make);
    } finally {
      await rm(lock, { force: true });
    }
  }
  return target;
}

async function makeDraft(target: string, make: (draft: string) => Promise<void>): Promise<void> {
  const draft = await mkdtemp(`${target}.draft-`);
  try {
    await make(draft);
    // mkdtemp's 0700 would shut out the account that servers run as; secrets inside have modes of their own.
    await chmod(draft, 0o755);
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Two that took over the same abandoned lock may both have made it; the first rename counts.
    if (!(await exists(target))) throw error;
  }
}

/** Takes the lock file, or takes it over from a process that died with it in its hand. */
async function tryLock(path: string): Promise<string | undefined> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''));
  // An empty file is one whose owner is just about to write its pid; it becomes stale after a while.
  const abandoned = owner > 0 ? !isAlive(owner) : await isOlderThan(path, 10_000);
  if (abandoned) await rm(path, { force: true });
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isOlderThan(path: string, ms: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ms;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
