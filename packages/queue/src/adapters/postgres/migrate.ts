import { AdapterUnavailableError } from '../../errors.ts';
import { type SqlClient, type SqlPool, withConnection } from './client.ts';
import { checkSchema } from './options.ts';
import { functions, functionsSchema, inSchema, layoutOne, quote } from './sql/index.ts';

/** Layouts, oldest first. A released one never changes: the next is a step from the one before, which old workers can go on with. */
const steps: readonly string[] = [layoutOne];

/** Options of {@link migrate} and {@link migrationSql}. */
export interface MigrateOptions {
  /** Schema of the tables. @default 'millrace' */
  readonly schema?: string;
}

/** Two processes that migrate at once do it one after the other. The key is the CRC-32 of 'millrace queue'. */
const lock = 'SELECT pg_advisory_xact_lock(1844126711)';

/**
 * Creates the tables and functions of the queue, or brings them up to date, in one transaction. Doing it again changes nothing.
 * Workers of the version before go on: layouts only grow, and functions of each version stand in a schema of their own.
 *
 * @example
 * await migrate(new pg.Client(url)); // connected
 *
 * @throws AdapterUnavailableError when the tables are of a newer version than this one knows
 */
export async function migrate(client: SqlPool, options: MigrateOptions = {}): Promise<void> {
  const { schema = 'millrace' } = options;
  checkSchema(schema);
  const { connect } = client;
  // A client of `pg` has a connect() of another kind; and it lends nothing.
  if (connect === undefined || 'processID' in client) return runMigration(client, schema);
  await withConnection({ connect: () => connect.call(client) }, (connection) => runMigration(connection, schema));
}

async function runMigration(client: SqlClient, schema: string): Promise<void> {
  if (await isUpToDate(client, schema)) return;
  await client.query('BEGIN');
  try {
    await client.query(lock);
    await client.query(preamble(schema));
    const present = await versionOf(client, schema);
    if (present > steps.length) throw tooNew(present);
    for (const text of steps.slice(present)) await client.query(inSchema(text, schema));
    await client.query(inSchema(`UPDATE mr.layout SET version = ${steps.length}`, schema));
    if (!(await hasFunctions(client, schema))) await client.query(functionsOf(schema));
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** @throws AdapterUnavailableError when the tables are missing, or not of this version */
export async function checkLayout(client: SqlClient, schema: string): Promise<void> {
  if (await isUpToDate(client, schema)) return;
  throw new AdapterUnavailableError(
    `The schema ${JSON.stringify(schema)} does not have the tables and functions of this version of @millrace/queue. ` +
      'Call migrate(), or run what migrationSql() prints.',
  );
}

/**
 * What {@link migrate} does, as text, for people who run their own migrations: idempotent for the functions, to be run once for the tables.
 *
 * @param options.from - layout that is there already; 0: none
 */
export function migrationSql(options: MigrateOptions & { readonly from?: number } = {}): string {
  const { schema = 'millrace', from = 0 } = options;
  checkSchema(schema);
  return [
    'BEGIN;',
    `${lock};`,
    preamble(schema),
    ...steps.slice(from).map((text) => inSchema(text, schema)),
    inSchema(`UPDATE mr.layout SET version = ${steps.length};`, schema),
    functionsOf(schema),
    'COMMIT;',
  ].join('\n');
}

function preamble(schema: string): string {
  return inSchema(
    `CREATE SCHEMA IF NOT EXISTS ${quote(schema)};
CREATE TABLE IF NOT EXISTS mr.layout (version int NOT NULL);
INSERT INTO mr.layout SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM mr.layout);`,
    schema,
  );
}

function functionsOf(schema: string): string {
  const name = quote(functionsSchema(schema));
  return `DROP SCHEMA IF EXISTS ${name} CASCADE;
CREATE SCHEMA ${name};
SET LOCAL check_function_bodies = off;
${inSchema(functions, schema)}`;
}

async function isUpToDate(client: SqlClient, schema: string): Promise<boolean> {
  const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS known', [`${quote(schema)}.layout`]);
  if (!(rows[0] as { known: boolean }).known) return false;
  const version = await versionOf(client, schema);
  if (version > steps.length) throw tooNew(version);
  return version === steps.length && (await hasFunctions(client, schema));
}

async function versionOf(client: SqlClient, schema: string): Promise<number> {
  const { rows } = await client.query(inSchema('SELECT version FROM mr.layout', schema));
  return Number((rows[0] as { version: number } | undefined)?.version ?? 0);
}

async function hasFunctions(client: SqlClient, schema: string): Promise<boolean> {
  const { rows } = await client.query('SELECT to_regnamespace($1) IS NOT NULL AS known', [
    quote(functionsSchema(schema)),
  ]);
  return (rows[0] as { known: boolean }).known;
}

function tooNew(version: number): AdapterUnavailableError {
  return new AdapterUnavailableError(
    `The tables have layout ${version}, this version of @millrace/queue knows ${steps.length}. Update the package.`,
  );
}
