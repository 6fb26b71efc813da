import { statSync } from 'node:fs';
import { soakStore } from '../shared/soak.ts';
import { openFile } from './file.ts';

/** The soak on a file of SQLite, shared by all processes: it must stay as small as what waits. @returns whether every job was done */
export async function soak(total: number): Promise<boolean> {
  const { path, close } = openFile();
  const whole = await soakStore(`sqlite://${path}`, total, async () => ({
    fileMb: megabytes(path),
    walMb: megabytes(`${path}-wal`),
  }));
  await close();
  return whole;
}

function megabytes(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return Math.round(size / 1e5) / 10;
}
