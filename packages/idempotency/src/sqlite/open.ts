import { InvalidOptionError } from '../errors.ts';
import type { SqliteDatabase } from './client.ts';

type Constructor = new (path: string) => SqliteDatabase;

/** Opens a file with the first driver that is installed. */
export async function openSqlite(path: string): Promise<SqliteDatabase> {
  const drivers: readonly (() => Promise<Constructor>)[] = [
    async () => ((await load('better-sqlite3')) as { default: Constructor }).default,
    async () => ((await load('libsql')) as { default: Constructor }).default,
    async () => ((await load('node:sqlite')) as { DatabaseSync: Constructor }).DatabaseSync,
  ];
  const failures: unknown[] = [];
  for (const driver of drivers) {
    try {
      return new (await driver())(path);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new InvalidOptionError(
    `The SQLite file ${path} cannot be opened: install better-sqlite3 or libsql (or use Node 22.13), or pass \`database\`.`,
    { cause: new AggregateError(failures) },
  );
}

/** By a variable, so that no bundler or type checker asks for a driver that is not installed. */
function load(name: string): Promise<unknown> {
  return import(name);
}
