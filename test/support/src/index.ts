export { type ManualClock, manualClock } from './clock.ts';
export { type TemporaryDirectory, temporaryDirectory } from './files.ts';
export { freePort } from './ports.ts';
export { PostgresMissingError } from './postgres/binaries.ts';
export {
  type PostgresOptions,
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startPostgresStandby,
} from './postgres/server.ts';
export { ServerStartError } from './process/server-process.ts';
export { RedisMissingError } from './redis/provision.ts';
export { type RedisOptions, type RedisServer, startRedis } from './redis/server.ts';
export { type WaitOptions, WaitTimeoutError, waitFor } from './wait.ts';
