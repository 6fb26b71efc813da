import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QueueAdapter } from '@millrace/queue';
import { sqliteAdapter } from '@millrace/queue/sqlite';

/** Both sides commit without waiting for the disk: the processor is what is compared. */
export const durability = 'normal';

/** A fresh file, and how to remove it. */
export function openFile(): { adapter: QueueAdapter; path: string; close(): Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const path = join(folder, 'queue.db');
  return {
    adapter: sqliteAdapter({ path, durability }),
    path,
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}
