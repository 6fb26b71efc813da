import { join } from 'node:path';
import { readRecord, writeRecord } from '../files/record.ts';
import type { Root } from '../root.ts';

/** What the remote said about a ref, and when. */
export interface SeenRef {
  /** Full name; undefined for a commit id. */
  readonly name: string | undefined;
  /** Commit, peeled. */
  readonly commit: string;
  /** When the question was asked, in milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds that the answer took; absent in records of earlier versions. */
  readonly took?: number;
}

/** The state of a mirror; written under its lock. */
export interface MirrorRecord {
  /** Address without credentials. */
  readonly url: string;
  /** Generation in use; 0 before the first fetch ended. */
  readonly generation: number;
  /** True when it has no file contents of its own. */
  readonly partial: boolean;
  /** `sha1` or `sha256`. */
  readonly format: 'sha1' | 'sha256';
  /** When everything was fetched last, in milliseconds since the epoch. */
  readonly fetchedAt: number | undefined;
  /** When garbage was put aside last, in milliseconds since the epoch; undefined for never. */
  readonly collectedAt?: number | undefined;
  /** Answers of the remote by the ref as callers wrote it ('' for the default branch). */
  readonly seen: Readonly<Record<string, SeenRef>>;
}

/** Answers older than the newest of this number are forgotten. */
const SEEN_LIMIT = 500;

/** Folder of a mirror. */
export function mirrorFolder(root: Root, key: string): string {
  return join(root.mirrors, key);
}

/** Bare repository of one generation. */
export function generationPath(root: Root, key: string, generation: number): string {
  return join(mirrorFolder(root, key), `generation-${generation}.git`);
}

/** File whose modification time says when a webhook told of a change. */
export function hintPath(root: Root, key: string): string {
  return join(mirrorFolder(root, key), 'hint');
}

/** File of the state; without it nobody finds the mirror. */
export function recordPath(root: Root, key: string): string {
  return join(mirrorFolder(root, key), 'mirror.json');
}

/** Reads the state; undefined when there is no mirror. */
export function readMirror(root: Root, key: string): Promise<MirrorRecord | undefined> {
  return readRecord<MirrorRecord>(recordPath(root, key));
}

/** Writes the state. */
export function writeMirror(root: Root, key: string, record: MirrorRecord): Promise<void> {
  return writeRecord(recordPath(root, key), record);
}

/** Adds an answer of the remote. */
export function withSeen(record: MirrorRecord, ref: string, seen: SeenRef): MirrorRecord {
  const others = Object.entries(record.seen).filter(([name]) => name !== ref);
  const newest = others.sort((left, right) => right[1].at - left[1].at).slice(0, SEEN_LIMIT - 1);
  return { ...record, seen: Object.fromEntries([[ref, seen], ...newest]) };
}
