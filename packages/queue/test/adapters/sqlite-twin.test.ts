import { afterAll, test } from 'vitest';
import { sqliteAdapter } from '../../src/sqlite.ts';
import { compareWithEngine } from '../twin/histories.ts';

// SQLite runs the engine of the memory adapter over its own tables: what it leaves unread or writes later must not show.

const adapter = sqliteAdapter({ path: ':memory:' });
afterAll(() => adapter.close());

test('the tables do what those of the memory adapter do, over random histories', { timeout: 120_000 }, () =>
  compareWithEngine(adapter),
);
