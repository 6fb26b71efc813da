import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';

/** Where an agent remembers a session, and the names that mean something in one run only. */
export interface SessionPlace {
  readonly home: string;
  /** Below the home; the n-th folder of one run is the n-th of the next. */
  readonly folders: readonly string[];
  /** The agent's workspace. Every mention of it is one of the next run's workspace later. */
  readonly workspace: string;
}

/** What a session may weigh, before it is compressed. */
export interface SessionBounds {
  readonly bytes: number;
  readonly files: number;
}

interface Entry {
  readonly folder: number;
  readonly path: string;
  readonly text: string;
}

/** Stands for the workspace in an archive. */
const placeholder = '/\u0001workspace\u0001';

/** A session is larger than what is kept. */
export class SessionTooLargeError extends Error {
  override readonly name = 'SessionTooLargeError' as const;
  readonly code = 'ERR_SESSION_TOO_LARGE' as const;
}

/**
 * Writes the text files of a session into one compressed file. Links and binary files are left out: an agent could
 * point a link at anything.
 *
 * @param secrets - are not written
 * @returns how many files; with none, nothing is written
 * @throws {SessionTooLargeError}
 */
export async function packSession(
  place: SessionPlace,
  secrets: readonly string[],
  bounds: SessionBounds,
  target: string,
): Promise<number> {
  const entries = await readEntries(place, bounds);
  if (entries.length === 0) return 0;
  const clean = (text: string): string => secrets.reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text);
  const lines = entries.map(({ text, ...entry }) => {
    return `${JSON.stringify({ ...entry, text: clean(text).replaceAll(place.workspace, placeholder) })}\n`;
  });
  await pipeline(Readable.from(lines), createGzip(), createWriteStream(target));
  return entries.length;
}

/** Puts the files of an archive where the agent of this run looks for them. */
export async function unpackSession(source: string, { home, folders, workspace }: SessionPlace): Promise<void> {
  const lines = createInterface({ input: createReadStream(source).pipe(createGunzip()) });
  for await (const line of lines) {
    const { folder, path, text } = JSON.parse(line) as Entry;
    const root = folders[folder];
    if (root === undefined || isOutside(path)) continue;
    const file = join(home, root, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, text.replaceAll(placeholder, workspace), { mode: 0o600 });
  }
}

async function readEntries({ home, folders }: SessionPlace, bounds: SessionBounds): Promise<Entry[]> {
  const entries: Entry[] = [];
  let left = bounds.bytes;
  for (const [folder, name] of folders.entries()) {
    const root = join(home, name);
    for (const path of await filesBelow(root)) {
      const content = await readBounded(path, left);
      left -= content.length;
      if (entries.length === bounds.files)
        throw new SessionTooLargeError(`A session has more than ${bounds.files} files.`);
      if (!content.includes(0)) entries.push({ folder, path: relative(root, path), text: content.toString() });
    }
  }
  return entries;
}

async function filesBelow(root: string): Promise<string[]> {
  const found = await readdir(root, { withFileTypes: true, recursive: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function readBounded(path: string, limit: number): Promise<Buffer> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > limit) throw new SessionTooLargeError('A session is larger than what is kept of it.');
  return await file.readFile();
}

function isOutside(path: string): boolean {
  const plain = normalize(path);
  return plain === '..' || plain.startsWith(`..${sep}`) || plain.startsWith(sep);
}
