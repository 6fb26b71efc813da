/** What stands in the history for a large file. Format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export interface LfsPointer {
  /** SHA-256 of the content, in hex. */
  readonly oid: string;
  /** Bytes of the content. */
  readonly size: number;
}

/** Bytes that a pointer stays below, by the specification. */
export const POINTER_BYTES = 1024;

/** First line of every pointer. */
export const POINTER_VERSION = 'version https://git-lfs.github.com/spec/v1';

const line = /^([a-z0-9.-]+) ([^\r\n]+)$/;

/** Reads a pointer; undefined for any other content. */
export function parsePointer(content: Buffer): LfsPointer | undefined {
  if (content.length >= POINTER_BYTES) return undefined;
  const text = content.toString('utf8');
  if (!text.startsWith(`${POINTER_VERSION}\n`) || !text.endsWith('\n')) return undefined;
  const fields = new Map<string, string>();
  for (const one of text.slice(0, -1).split('\n')) {
    const [, key, value] = line.exec(one) ?? [];
    if (key === undefined || value === undefined || fields.has(key)) return undefined;
    fields.set(key, value);
  }
  const oid = /^sha256:([0-9a-f]{64})$/.exec(fields.get('oid') ?? '')?.[1];
  const size = /^(0|[1-9]\d{0,15})$/.exec(fields.get('size') ?? '')?.[1];
  return oid === undefined || size === undefined ? undefined : { oid, size: Number(size) };
}

/** Folders and name of an object below a store, as git-lfs itself lays them out. */
export function objectNames(oid: string): readonly [string, string, string] {
  return [oid.slice(0, 2), oid.slice(2, 4), oid];
}
