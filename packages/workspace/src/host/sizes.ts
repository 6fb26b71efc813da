import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { constants, inflateSync } from 'node:zlib';
import { orMissing } from '../files/record.ts';
import type { HostRepository } from './host-repository.ts';

/** So many objects are read here; for more, a process is worth its start. */
const FEW_OBJECTS = 100;

/** Bytes that hold the header of a loose object for sure: its kind, a size of at most 20 digits, and what compression adds. */
const HEADER_BYTES = 64;

function beginningOf(path: string): Buffer | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(HEADER_BYTES);
      return bytes.subarray(0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch (error) {
    orMissing(error);
    return undefined;
  }
}

/**
 * Size of a blob that is a file of its own in the host's store; undefined for any other.
 * Format: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_object_storage
 */
function looseSize({ gitDir }: HostRepository, id: string): number | undefined {
  const bytes = beginningOf(join(gitDir, 'objects', id.slice(0, 2), id.slice(2)));
  if (bytes === undefined) return undefined;
  const header = inflateSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString('latin1');
  const size = /^blob (\d+)\0/.exec(header)?.[1];
  return size === undefined ? undefined : Number(size);
}

async function measured(host: HostRepository, ids: readonly string[], signal?: AbortSignal): Promise<number[]> {
  const sizes = await host.text({
    what: 'Measuring files',
    args: ['cat-file', '--batch-check=%(objectsize)'],
    input: `${ids.join('\n')}\n`,
    signal,
  });
  return sizes.split('\n').map(Number);
}

/** Bytes of blobs, in the order of their ids. What the host has just written itself costs no process. */
export async function sizesOf(
  host: HostRepository,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const loose =
    ids.length > FEW_OBJECTS ? [] : ids.map((id) => looseSize(host, id)).filter((size) => size !== undefined);
  return loose.length === ids.length ? loose : await measured(host, ids, signal);
}
