import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeAdapter } from '@millrace/queue/conformance';
import { type SqliteDatabase, sqliteAdapter } from '@millrace/queue/sqlite';
import { afterAll, describe, it } from 'vitest';

// `sqlite.test.ts` runs on libsql, which the package tests with. Here are the others, on connections that are given.

type Open = (path: string) => SqliteDatabase;
type DatabaseClass = new (path: string) => SqliteDatabase;
const require = createRequire(import.meta.url);

function openerOf(module: string, name?: string): Open | undefined {
  try {
    const loaded = require(module) as DatabaseClass & Record<string, DatabaseClass>;
    const Database = name === undefined ? loaded : (loaded[name] as DatabaseClass);
    return (path) => new Database(path);
  } catch {
    return undefined;
  }
}

const drivers: readonly [string, Open | undefined, string][] = [
  ['node:sqlite', openerOf('node:sqlite', 'DatabaseSync'), 'Node has it since 22.13: npm run test:matrix -- 24'],
  [
    'better-sqlite3',
    openerOf('better-sqlite3'),
    'it compiles for minutes where its binary cannot be fetched: npm install --no-save better-sqlite3',
  ],
];

for (const [name, open, reason] of drivers) {
  if (open === undefined) {
    it.skip(`${name} keeps the queue contract (not installed: ${reason})`, () => undefined); // reason: as the name says
    continue;
  }
  describe(name, () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-driver-'));
    const opened: SqliteDatabase[] = [];
    const create = () => {
      const database = open(join(folder, 'queue.db'));
      opened.push(database);
      return sqliteAdapter({ database, durability: 'normal' });
    };
    afterAll(() => {
      for (const database of opened) database.close();
      rmSync(folder, { recursive: true, force: true });
    });
    describeAdapter({ afterAll, describe, it }, { name, create, createSecond: create });
  });
}
