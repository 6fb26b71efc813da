import { InvalidOptionError } from '../../errors.ts';
import type { SqlClient } from './client.ts';
import { inSchema } from './sql/index.ts';

/** The statements of the adapter. Unnamed, with explicit types: any driver and any pooler in between may carry them. */
export interface Statements {
  readonly enqueue: string;
  readonly enqueueInside: string;
  readonly exchange: string;
  readonly fireSchedule: string;
  readonly change: string;
  readonly look: string;
  readonly open: string;
  readonly renew: string;
}

const exchangeTypes =
  'int, text, boolean, bigint, int, int[], int, int, boolean, text[], bigint[], int[], jsonb, jsonb, jsonb, jsonb'.split(
    ', ',
  );

/** A parameter travels as text where drivers differ in how they send its type. */
function typed(types: readonly string[]): string {
  return types.map((type, index) => `$${index + 1}::${/\[\]|jsonb/.test(type) ? `text::${type}` : type}`).join(', ');
}

const jobTypes = ['int', 'text', 'text', 'text', 'text', 'text', 'text', 'boolean', 'boolean'];

/** The statements for a schema. `strict`: claims and acknowledgements wait for the disk, too. */
export function statementsFor(schema: string, strict: boolean): Statements {
  const relaxed = strict ? '' : ", set_config('synchronous_commit', 'off', true)";
  const text = {
    enqueue: `SELECT e.answers, e.hungry FROM fn.enqueue(${typed(jobTypes)}, false) e`,
    enqueueInside: `SELECT e.answers, e.hungry FROM fn.enqueue(${typed(jobTypes)}, true) e`,
    exchange: `SELECT fn.exchange(${typed(exchangeTypes)}) AS answer`,
    fireSchedule:
      'SELECT e.answers, e.hungry FROM fn.enqueue_locked($1::int, $2::text::jsonb, $3::text::jsonb, $4::text::jsonb, $5::text::int[], $6::text::int[], true, $7::text::jsonb) e',
    change: 'SELECT fn.change($1::int, $2::text, $3::text::jsonb)::text AS answer',
    look: 'SELECT fn.look($1::int, $2::text, $3::text::jsonb)::text AS answer',
    open: 'SELECT fn.open($1::text, $2::text::jsonb) AS number, fn.channel(fn.open($1::text, $2::text::jsonb)) AS channel',
    renew: `SELECT fn.renew($1::int, $2::text, $3::bigint) AS alive${relaxed}`,
  };
  // The setting comes first: begin() may take it back for a call that must reach the disk.
  if (!strict)
    text.exchange = text.exchange.replace('SELECT ', "SELECT set_config('synchronous_commit', 'off', true), ");
  return Object.fromEntries(
    Object.entries(text).map(([name, sql]) => [name, inSchema(sql, schema)]),
  ) as unknown as Statements;
}

/** @throws InvalidOptionError when the caller's transaction cannot run a statement */
export function transactionClient(transaction: unknown): SqlClient {
  if (typeof (transaction as SqlClient | null)?.query === 'function') return transaction as SqlClient;
  throw new InvalidOptionError(
    '`tx` must have `query(text, values)`: a client of `pg` in a transaction, or a few lines around the transaction of another library (docs/adapters/postgres.md).',
  );
}
