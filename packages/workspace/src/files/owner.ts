import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { writeRecord } from './record.ts';

/**
 * Who holds a lock or a lease. A process id alone is no name: it is reused, and means something else in another
 * container on the same volume; so its start time, the boot and the process id namespace belong to it.
 */
export interface Owner {
  /** Unique per manager. */
  readonly id: string;
  /** Process id in its namespace. */
  readonly pid: number;
  /** Start of the process in clock ticks since boot; '' where /proc does not exist. */
  readonly started: string;
  /** Boot and process id namespace, or the host's name where /proc does not exist. */
  readonly place: string;
}

/** A sign of life from another place (container or host) is believed for this long, in milliseconds. */
export const FOREIGN_LIFE_MS = 60_000;

/** Period of the signs of life, in milliseconds. */
export const HEARTBEAT_MS = 10_000;

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return fallback;
  }
}

function startOf(pid: number | 'self'): string {
  const line = readOr(`/proc/${pid}/stat`, '');
  // The command may hold spaces and brackets: count from its closing one; the start time is field 22.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  // A zombie holds nothing any more.
  return fields[0] === 'Z' ? '' : (fields[19] ?? '');
}

function place(): string {
  try {
    return `${readOr('/proc/sys/kernel/random/boot_id', hostname())}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

const self = { pid: process.pid, started: startOf('self'), place: place() };

/** A new owner that lives as long as this process. */
export function newOwner(): Owner {
  return { id: randomUUID(), ...self };
}

/** A process that this one started, as an owner of what dies with it. */
export function ownerOfProcess(pid: number): Owner {
  return { id: randomUUID(), pid, started: startOf(pid), place: self.place };
}

/** The file whose modification time is the owner's sign of life. */
export function heartbeatFile(ownersFolder: string, owner: Owner): string {
  return join(ownersFolder, `${owner.id}.json`);
}

/** Gives a sign of life. */
export async function beat(ownersFolder: string, owner: Owner): Promise<void> {
  const file = heartbeatFile(ownersFolder, owner);
  const now = new Date();
  await utimes(file, now, now).catch(() => writeRecord(file, owner));
}

function isProcessAlive(owner: Owner): boolean {
  if (owner.started !== '') return startOf(owner.pid) === owner.started;
  try {
    process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Tells whether an owner may still act. On the same machine and process id namespace the kernel answers exactly;
 * elsewhere the heartbeat does, with a bound of {@link FOREIGN_LIFE_MS}.
 */
export async function isAlive(ownersFolder: string, owner: Owner): Promise<boolean> {
  if (owner.place === self.place) return isProcessAlive(owner);
  const file = await stat(heartbeatFile(ownersFolder, owner)).catch(() => undefined);
  return file !== undefined && Date.now() - file.mtimeMs < FOREIGN_LIFE_MS;
}
