import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { LfsCorruptError, NetworkError } from '../errors.ts';
import type { LfsPointer } from './pointer.ts';
import type { LfsAction, LfsServer } from './server.ts';

/** Tells a broken link from a full disk: both end the same loop. */
async function* fromNetwork(
  body: AsyncIterable<Uint8Array>,
  where: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw new NetworkError(`The link to ${where} broke. Try again later`, { cause: error });
  }
}

/**
 * Writes content to a new file and checks that it is what the pointer names.
 *
 * @throws {LfsCorruptError} when it has other bytes, or another number of them
 */
export async function saveChecked(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { oid, size }: LfsPointer,
  path: string,
): Promise<void> {
  const hash = createHash('sha256');
  let received = 0;
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      received += chunk.length;
      if (received > size) break;
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  const wrong = received === size ? hash.digest('hex') !== oid && 'with another hash' : `of another size than ${size}`;
  if (wrong !== false) throw new LfsCorruptError(`The large file ${oid} came ${wrong}. Ask who runs the server`);
}

/** Downloads one object to a new file. */
export async function download(
  server: LfsServer,
  pointer: LfsPointer,
  action: LfsAction,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await server.follow(action, { method: 'GET', headers: {} });
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
  await saveChecked(fromNetwork(body, server.url, signal), pointer, path);
}

/** Uploads one object, and has the server look at it when it wants to. */
export async function upload(
  server: LfsServer,
  { oid, size }: LfsPointer,
  actions: { readonly upload: LfsAction; readonly verify?: LfsAction },
  path: string,
): Promise<void> {
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(size) };
  const body = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
  await (await server.follow(actions.upload, { method: 'PUT', headers, body })).body?.cancel();
  if (actions.verify === undefined) return;
  const json = 'application/vnd.git-lfs+json';
  const request = { headers: { accept: json, 'content-type': json }, body: JSON.stringify({ oid, size }) };
  await (await server.follow(actions.verify, { method: 'POST', ...request })).body?.cancel();
}
