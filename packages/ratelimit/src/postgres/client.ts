/** A connection, as `pg` gives it. */
export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Record<string, unknown>[] }>;
  release(error?: Error): void;
  /** Where the client has it, a connection that is lost between two statements is heard of, which `pg` would end the process for. */
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
}

/** What the store needs of a pool; a `pg` `Pool` fits. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
  query(text: string, values?: unknown[]): Promise<{ readonly rows: Record<string, unknown>[] }>;
}
