import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAdapter } from '@millrace/queue/conformance';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import { afterAll, describe, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
const open = () => sqliteAdapter({ path: join(folder, 'queue.db'), durability: 'normal' });

describeAdapter(
  { afterAll, describe, it },
  {
    name: 'sqlite',
    create: open,
    createSecond: open,
    destroy: async () => rmSync(folder, { recursive: true, force: true }),
  },
);
