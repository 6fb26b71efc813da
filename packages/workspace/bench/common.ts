import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createWorkspaceManager, type WorkspaceManager, type WorkspaceManagerOptions } from '../src/index.ts';
import type { BenchServer } from './server.ts';

/** One line of the bars table. */
export interface Result {
  readonly metric: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly unit: string;
  readonly ratio: number | null;
}

/** A repository behind a link of 20 ms, on one file system. */
export interface Bench {
  readonly folder: string;
  readonly url: string;
  readonly rounds: number;
  /** The server behind the link, which counts what it is asked. */
  readonly server: BenchServer;
}

const environment = {
  PATH: process.env.PATH ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
};

/** Allocated bytes, by blocks. */
export function diskOf(path: string): number {
  return Number(execFileSync('du', ['-s', '--block-size=1', path], { encoding: 'utf8' }).split('\t')[0]);
}

export function median(values: readonly number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Has earlier writes on disk, so that nobody pays for those of the one before. */
export async function quiet({ folder }: Bench): Promise<void> {
  await promisify(execFile)('sync', ['--file-system', folder]);
}

/**
 * The clone stays until the end of its measurement: a disk goes on discarding the blocks of deleted files after a `sync`, and whoever is next would pay.
 */
export async function depthOne(bench: Bench): Promise<{ readonly ms: number; readonly bytes: number }> {
  const { folder, url } = bench;
  const target = mkdtempSync(join(folder, 'peer-'));
  await quiet(bench);
  const started = performance.now();
  await promisify(execFile)('git', ['clone', '--quiet', '--depth=1', url, target], { env: environment });
  const ms = performance.now() - started;
  return { ms, bytes: diskOf(target) };
}

/** Removes the clones of the peer. */
export function removePeers({ folder }: Bench): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith('peer-')) rmSync(join(folder, name), { recursive: true });
  }
}

export function managerFor(bench: Bench, options: Partial<WorkspaceManagerOptions> = {}): WorkspaceManager {
  return createWorkspaceManager({
    root: join(bench.folder, 'root'),
    allowedProtocols: ['http'],
    limits: { freeBytes: 0 },
    ...options,
  });
}

export function compare(
  metric: string,
  ours: readonly number[],
  peer: readonly number[],
  unit: string,
  peerName = 'git clone --depth=1, http, 20 ms',
): Result {
  const [left, right] = [median(ours), median(peer)];
  return { metric, ours: left, peer: right, peerName, unit, ratio: left / right };
}

export type Measurement = (bench: Bench, suffix: string) => Promise<Result[]>;
