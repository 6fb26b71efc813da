/** What a statement answered; the part of node-postgres' result that is used here. */
export interface SqlResult {
  readonly rows: readonly unknown[];
}

/** Anything that runs one parameterized statement: `pg` Pool or Client, or a few lines around another driver. */
export interface SqlClient {
  query(text: string, values?: unknown[]): Promise<SqlResult>;
}

/** A client lent by a pool. */
export interface PooledSqlClient extends SqlClient {
  /** Gives it back; with `true`, it is closed instead because its state is unknown. */
  release(destroy?: boolean): void;
  /** Where the client has it, a connection that is lost between two statements is heard of, which `pg` would end the process for. */
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
}

/** A pool: `connect` is needed only for transactional phases. */
export interface SqlPool extends SqlClient {
  connect?(): Promise<PooledSqlClient>;
}
