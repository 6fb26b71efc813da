import { fileURLToPath } from 'node:url';
import { directoryStore } from './directory.ts';
import type { ObjectStore } from './store.ts';

/** The object store of a URL. A client library is loaded only by who uses it. */
export async function openObjects(url: string): Promise<ObjectStore & Partial<AsyncDisposable>> {
  if (url.startsWith('file:')) return directoryStore(fileURLToPath(url));
  return await (await import('./s3.ts')).openS3(url);
}
