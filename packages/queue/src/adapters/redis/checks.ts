import { AdapterUnavailableError } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import { readInfo } from './memory-guard.ts';

/** Oldest Redis that works: 7.0 brought script flags, without which an ack fails when memory is full. Valkey counts as 7.2. */
const oldestVersion = 7;

/** What the checks allow. */
export interface CheckOptions {
  readonly allowEviction: boolean;
  readonly warn: (message: string) => void;
}

/** What the server can do. */
export interface ServerFacts {
  /** WAITAOF is there (7.2). */
  readonly waitsForDisk: boolean;
}

/**
 * Looks at the server before anything is stored in it. Only INFO is used: hosted Redis often forbids CONFIG.
 * @throws AdapterUnavailableError when jobs would not be safe, in words that say what to change
 */
export async function checkServer(client: RedisClient, { allowEviction, warn }: CheckOptions): Promise<ServerFacts> {
  const [server, memory, persistence] = await Promise.all(
    ['server', 'memory', 'persistence'].map(async (section) => readInfo(await client.info(section))),
  );
  const version = server?.get('redis_version') ?? '0';
  if (Number.parseInt(version, 10) < oldestVersion) {
    throw new AdapterUnavailableError(`Redis ${version} is too old for the queue: use 7.0 or later (or Valkey).`);
  }
  const policy = memory?.get('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction' && !allowEviction) {
    throw new AdapterUnavailableError(
      `This Redis has maxmemory-policy ${policy}: short of memory it would delete jobs. Set it to noeviction ` +
        '(CONFIG SET maxmemory-policy noeviction), or pass allowEviction: true if losing jobs is acceptable.',
    );
  }
  if (persistence?.get('aof_enabled') === '0') {
    warn(
      'This Redis writes no append-only file: a restart loses the jobs since the last snapshot, or all of them. Set appendonly yes.',
    );
  }
  return { waitsForDisk: compareVersions(version, [7, 2]) >= 0 };
}

function compareVersions(version: string, [major, minor]: readonly [number, number]): number {
  const [ours = 0, theirs = 0] = version.split('.').map(Number);
  return ours === major ? theirs - minor : ours - major;
}
