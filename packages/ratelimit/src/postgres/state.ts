import type { Clock } from '../clock.ts';
import type { PostgresClient, PostgresPool } from './client.ts';

/** Rows that hold state, loaded and locked for one operation. */
export interface Rows {
  /** The database's time. */
  readonly clock: Clock;
  /** State by row name; undefined where there is none yet. */
  readonly values: Map<string, unknown>;
}

const lockRows = `INSERT INTO millrace_state (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`;
/** The time is read after the rows are locked: who waited for a lock must not decide by the time before the wait. */
const readRows = `WITH locked AS MATERIALIZED (SELECT name, state FROM millrace_state WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE)
  SELECT name, state, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now FROM locked`;
const writeRows = `UPDATE millrace_state SET state = changed.state::jsonb, expires = now() + changed.keep * interval '1 millisecond'
  FROM unnest($1::text[], $2::text[], $3::float8[]) AS changed (name, state, keep) WHERE millrace_state.name = changed.name`;
const sweepRows = `DELETE FROM millrace_state WHERE name IN
  (SELECT name FROM millrace_state WHERE expires < now() LIMIT 100 FOR UPDATE SKIP LOCKED)`;

/** One in so many operations also deletes what has expired. */
const sweepEvery = 500;

/**
 * State in one table, a row per key. An operation locks its rows in the order of their names, decides in this process by the same code as the
 * memory store, writes, and commits: as atomic as Redis, at the price of five statements.
 */
export class StateTable {
  readonly #pool: PostgresPool;
  #operations = 0;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /**
   * @param keepMs - how long a row may be forgotten after, by its new state
   * @param decide - changes `values` and answers
   */
  async transact<T>(
    names: readonly string[],
    keepMs: (value: unknown) => number,
    decide: (rows: Rows) => T,
  ): Promise<T> {
    const client = await this.#pool.connect();
    client.on?.('error', nothing);
    try {
      const answer = await this.#locked(client, [...new Set(names)].sort(), keepMs, decide);
      give(client);
      return answer;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      give(client, error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  async #locked<T>(
    client: PostgresClient,
    names: string[],
    keepMs: (value: unknown) => number,
    decide: (rows: Rows) => T,
  ): Promise<T> {
    await client.query('BEGIN');
    await client.query(lockRows, [names]);
    const { rows } = await client.query(readRows, [names]);
    const values = new Map(rows.map(({ name, state }) => [String(name), revive(state)]));
    const answer = decide({ clock: fixedClock(Number(rows[0]?.now)), values });
    const states = names.map((name) => JSON.stringify(values.get(name) ?? null, flatten));
    await client.query(writeRows, [names, states, names.map((name) => keepMs(values.get(name)))]);
    this.#operations += 1;
    if (this.#operations % sweepEvery === 0) await client.query(sweepRows);
    await client.query('COMMIT');
    return answer;
  }
}

/** The next statement of a connection that was lost fails, which is all that its operation must know. */
function nothing(): void {}

function give(client: PostgresClient, error?: Error): void {
  client.off?.('error', nothing);
  client.release(error);
}

/** A map of the state of some rows, for the memory store's code to work on; `keep` writes it back. */
export function mapOf<T>(
  { values }: Rows,
  names: Readonly<Record<string, string>>,
): { map: Map<string, T>; keep: () => void } {
  const map = new Map<string, T>();
  for (const [inner, row] of Object.entries(names)) {
    const value = values.get(row);
    if (value !== undefined && value !== null) map.set(inner, value as T);
  }
  return { map, keep: () => Object.entries(names).forEach(([inner, row]) => void values.set(row, map.get(inner))) };
}

function fixedClock(now: number): Clock {
  return { now: () => now, monotonic: () => now, setTimeout: () => undefined, clearTimeout: () => {} };
}

/** Maps have no JSON of their own. */
function flatten(_: string, value: unknown): unknown {
  return value instanceof Map ? { $map: [...value] } : value;
}

function revive(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$map' in value) return new Map((value.$map as [string, unknown][]).map(([key, item]) => [key, revive(item)]));
  if (Array.isArray(value)) return value.map(revive);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]));
}
