import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DiskFullError, StrategyUnavailableError } from '../errors.ts';

/** A working tree and how one comes to it. */
export interface TreeView {
  /** Path for programs that were started through `enter`. */
  readonly path: string;
  /** Path for this process's own file calls. */
  readonly hostPath: string;
  /** Program and arguments to put before a program so that it starts in a folder of `path`; empty where all see it. */
  readonly enter: (folder: string) => readonly string[];
}

/** A tree that everybody sees. */
export function plainView(path: string): TreeView {
  return { path, hostPath: path, enter: () => [] };
}

/** An overlay to mount at `tree` of a folder, with `upper` and `work` beside it. */
export interface OverlayRequest {
  /** Read-only layers, the uppermost first. */
  readonly layers: readonly string[];
  /** Folder that holds `upper`, `work` and `tree`. */
  readonly folder: string;
}

/** One way to mount overlays. */
export interface OverlayMounts {
  /** True when the layers' own marks are kept in `user.` attributes; layers of the other kind can not be read. */
  readonly userAttributes: boolean;
  /** @throws {StrategyUnavailableError} {@link DiskFullError} */
  mount(request: OverlayRequest): Promise<TreeView>;
  /** Ends the mount of a folder and all that came of it; nothing happens where there is none. */
  release(folder: string): Promise<void>;
  /** Lets a mount outlive this process, where it would not by itself. */
  keep(folder: string): Promise<void>;
  /** Ends what belongs to the manager, not to a workspace. */
  close(): void;
}

/** Makes the folders that an overlay needs. */
export async function prepareFolders({ folder }: OverlayRequest): Promise<void> {
  await Promise.all(['upper', 'work', 'tree'].map((name) => mkdir(join(folder, name), { recursive: true })));
}

/** The options of mount(8). */
export function mountOptions({ layers, folder }: OverlayRequest): string {
  return `lowerdir=${layers.join(':')},upperdir=${join(folder, 'upper')},workdir=${join(folder, 'work')}`;
}

/** The error for what mount(8) or unshare(1) said. "No space left" of the latter is a limit of namespaces, not a disk. */
export function mountError(words: string): StrategyUnavailableError | DiskFullError {
  const [line = ''] = words.split('\n');
  if (/^mount: .*no space left/i.test(line)) return new DiskFullError(`Mounting an overlay failed: ${line}. Free some`);
  return new StrategyUnavailableError(`Mounting an overlay failed: ${line}`);
}
