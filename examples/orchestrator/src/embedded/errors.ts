/** The embedded PostgreSQL cannot be made, started or reached; the message names the cure. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError' as const;
  readonly code = 'ERR_EMBEDDED_POSTGRES' as const;
}
