import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cachedFolder } from '../cache.ts';

const run = promisify(execFile);

/** Where the two programs of Prometheus are. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

let programs: Promise<PrometheusPrograms> | undefined;

/** Prometheus and promtool: from the PATH, else Debian's package, unpacked into the tests' cache; nothing is installed or started. */
export function prometheusPrograms(): Promise<PrometheusPrograms> {
  programs ??= find();
  return programs;
}

async function find(): Promise<PrometheusPrograms> {
  const inPath = await Promise.all(['prometheus', 'promtool'].map(fromPath));
  const [prometheus, promtool] = inPath;
  if (prometheus !== undefined && promtool !== undefined) return { prometheus, promtool };
  try {
    const bin = join(await cachedFolder('prometheus', unpack), 'usr', 'bin');
    return { prometheus: join(bin, 'prometheus'), promtool: join(bin, 'promtool') };
  } catch (cause) {
    throw new Error(
      'These tests need prometheus and promtool, which are not in the PATH, and Debian’s package could not be fetched. ' +
        'Do one of these: "apt-get install prometheus", "brew install prometheus", or put a release of github.com/prometheus/prometheus into the PATH.',
      { cause },
    );
  }
}

async function fromPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const names = folder === '' ? [] : await readdir(folder).catch(() => []);
    if (names.includes(name)) return join(folder, name);
  }
  return undefined;
}

/** Only the package itself: both programs are static but for the C library. */
async function unpack(draft: string): Promise<void> {
  const packages = join(draft, 'packages');
  await mkdir(packages);
  const download = ['-o', 'APT::Sandbox::User=', '-o', 'Acquire::Retries=3'];
  try {
    await run('apt-get', [...download, 'download', 'prometheus'], { cwd: packages, timeout: 120_000 });
  } catch {
    // A bare image has no package lists; ours go below the cache, so that no root is needed.
    const lists = join(draft, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const own = [...download, '-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${draft}`];
    await run('apt-get', [...own, 'update'], { cwd: packages, timeout: 180_000 });
    await run('apt-get', [...own, 'download', 'prometheus'], { cwd: packages, timeout: 120_000 });
    await rm(lists, { recursive: true, force: true });
  }
  const [file = ''] = (await readdir(packages)).filter((name) => name.endsWith('.deb'));
  const unpacked = join(draft, 'unpacked');
  await run('dpkg', ['-x', join(packages, file), unpacked]);
  await mkdir(join(draft, 'usr'));
  await rename(join(unpacked, 'usr', 'bin'), join(draft, 'usr', 'bin'));
  await Promise.all([packages, unpacked].map((path) => rm(path, { recursive: true, force: true })));
}
