import type { Readable } from 'node:stream';

/** What was stored. */
export interface StoredObject {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
}

/** Keeps what is too big for a row: diffs, bundles, archived logs. An object appears whole or not at all. */
export interface ObjectStore {
  readonly name: string;
  /** Stores a file under a key; a second time replaces the first. */
  putFile(key: string, path: string): Promise<StoredObject>;
  /** @throws {ObjectNotFoundError} when there is no such object. */
  get(key: string): Promise<Readable>;
  delete(key: string): Promise<void>;
}

/** There is no object under this key: it expired, or another store was configured when it was written. */
export class ObjectNotFoundError extends Error {
  override readonly name = 'ObjectNotFoundError' as const;
  readonly code = 'ERR_OBJECT_NOT_FOUND' as const;
  constructor(key: string, options?: ErrorOptions) {
    super(`No object ${key} in the store; check that OBJECTS_URL is the one the run was made with.`, options);
  }
}
