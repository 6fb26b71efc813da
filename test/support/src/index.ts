export { cachedFolder } from './cache.ts';
export { type ManualClock, manualClock } from './clock.ts';
export { type Program, programOf } from './debian.ts';
export { type TemporaryDirectory, temporaryDirectory } from './files.ts';
export type { GitAuth } from './git/auth.ts';
export { git } from './git/command.ts';
export { type GitRequest, type GitServer, type GitServerOptions, startGitServer } from './git/server.ts';
export { type NatsServer, startNats } from './nats.ts';
export { type PgBouncer, startPgBouncer } from './pgbouncer.ts';
export { freePort } from './ports.ts';
export { PostgresMissingError } from './postgres/binaries.ts';
export {
  type PostgresOptions,
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startPostgresStandby,
} from './postgres/server.ts';
export {
  type ServerCommand,
  type ServerProcess,
  ServerStartError,
  startServerProcess,
} from './process/server-process.ts';
export { type PrometheusPrograms, prometheusPrograms } from './prometheus/programs.ts';
export { type Prometheus, startPrometheus } from './prometheus/server.ts';
export { type Proxy, type ProxyOptions, startProxy } from './proxy.ts';
export { type RedisCluster, startRedisCluster } from './redis/cluster.ts';
export { RedisMissingError } from './redis/provision.ts';
export { type RedisSentinel, startRedisSentinel } from './redis/sentinel.ts';
export { type RedisOptions, type RedisServer, startRedis } from './redis/server.ts';
export { type SyntheticOptions, syntheticRepo, type TestRepos, testRepos } from './repos.ts';
export { firstCodeBlock, runCode, runReadme, runScript, type ScriptOptions, type ScriptResult } from './script.ts';
export { type WaitOptions, WaitTimeoutError, waitFor } from './wait.ts';
