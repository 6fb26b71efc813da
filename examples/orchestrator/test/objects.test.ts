import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type TemporaryDirectory, temporaryDirectory } from '@millrace/test-support';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ConfigError } from '../src/config.ts';
import { openObjects } from '../src/objects/open.ts';
import { ObjectNotFoundError, type ObjectStore } from '../src/objects/store.ts';

let directory: TemporaryDirectory;
let server: Server;
const requests: { readonly method: string | undefined; readonly headers: Record<string, unknown> }[] = [];

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'S3RVER');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'S3RVER');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  directory = await temporaryDirectory('objects');
  const s3 = new S3rver({
    directory: join(directory.path, 's3'),
    silent: true,
    configureBuckets: [{ name: 'runs', configs: [] }],
  });
  await s3.configureBuckets();
  const answer = s3.getMiddleware();
  server = createServer((request, response) => {
    requests.push({ method: request.method, headers: request.headers });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await directory.remove();
  vi.unstubAllEnvs();
});

const endpoint = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const urls: Readonly<Record<string, () => string>> = {
  directory: () => `file://${join(directory.path, 'files')}`,
  s3: () => `s3://runs/prefix?endpoint=${endpoint()}&pathStyle=true&encryption=AES256&storageClass=STANDARD_IA`,
};

async function put(store: ObjectStore, key: string, content: Buffer) {
  const path = join(directory.path, 'upload');
  await writeFile(path, content);
  return await store.putFile(key, path);
}

describe.each(['directory', 's3'])('the object store %s', (name) => {
  const open = () => openObjects(urls[name]?.() ?? '');

  test('gives back what it was given, whole, with its digest', async () => {
    const store = await open();
    const content = randomBytes(3 * 2 ** 20);
    const stored = await put(store, 'runs/1/diff.patch', content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(stored).toEqual({ key: 'runs/1/diff.patch', size: content.length, sha256 });
    expect((await buffer(await store.get('runs/1/diff.patch'))).equals(content)).toBe(true);
  });

  test('keeps empty objects, replaces and deletes, also twice', async () => {
    const store = await open();
    await put(store, 'a/b', Buffer.from('first'));
    await put(store, 'a/b', Buffer.alloc(0));
    expect((await buffer(await store.get('a/b'))).length).toBe(0);
    await store.delete('a/b');
    await store.delete('a/b');
    await expect(store.get('a/b')).rejects.toBeInstanceOf(ObjectNotFoundError);
  });
});

test('s3 objects are sent encrypted, with their digest, in the class that was asked for', async () => {
  const store = await openObjects(urls.s3?.() ?? '');
  await put(store, 'x', Buffer.from('x'));
  expect(requests.filter(({ method }) => method === 'PUT').at(-1)?.headers).toMatchObject({
    'x-amz-server-side-encryption': 'AES256',
    'x-amz-storage-class': 'STANDARD_IA',
    'x-amz-checksum-sha256': createHash('sha256').update('x').digest('base64'),
  });
});

test.each([
  ['s3://nowhere', /the bucket nowhere cannot be used/],
  ['s3://key:secret@runs', /must not hold credentials/],
  ['s3://runs?colour=red', /has no parameter colour; there are region, endpoint/],
])('%s stops with what to do', async (url, message) => {
  const full = url.includes('?') ? url : `${url}?endpoint=${endpoint()}&pathStyle=true`;
  const opening = openObjects(full);
  await expect(opening).rejects.toThrow(ConfigError);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow('secret');
});
