import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ObjectNotFoundError, type ObjectStore, type StoredObject } from './store.ts';

/** Objects as files below a folder. A file is written aside and renamed, so a crash leaves no half an object. */
export function directoryStore(root: string): ObjectStore {
  const pathOf = (key: string): string => {
    const path = join(root, key);
    if (relative(root, path).startsWith('..')) throw new RangeError(`The object key ${key} leaves the store.`);
    return path;
  };
  return {
    name: `directory ${root}`,
    putFile: (key, path) => putFile(key, path, pathOf(key)),
    async get(key) {
      try {
        return (await open(pathOf(key))).createReadStream();
      } catch (cause) {
        throw new ObjectNotFoundError(key, { cause });
      }
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}

async function putFile(key: string, source: string, target: string): Promise<StoredObject> {
  await mkdir(dirname(target), { recursive: true });
  const aside = `${target}.${randomUUID()}`;
  const hash = createHash('sha256');
  let size = 0;
  try {
    await pipeline(
      createReadStream(source),
      async function* measure(chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          size += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(aside, { flush: true }),
    );
    await rename(aside, target);
  } finally {
    await rm(aside, { force: true });
  }
  return { key, size, sha256: hash.digest('hex') };
}
