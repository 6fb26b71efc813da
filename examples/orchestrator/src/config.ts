import { join, resolve } from 'node:path';
import ms from 'ms';
import { z } from 'zod';
import type { CiSettings } from './ci/settings.ts';
import { ConfigError, duration, httpUrl, integer, url } from './config-values.ts';
import type { GithubSettings } from './forge/github/settings.ts';
import { githubSettings, githubVariables } from './forge/github/variables.ts';
import type { ProviderAccount, ProviderName } from './gateway/providers.ts';

/** The roles one process can play; `npm start` plays them all. */
export const roles = ['api', 'worker', 'ci', 'janitor'] as const;
export type Role = (typeof roles)[number];

export { ConfigError } from './config-values.ts';

const loopbackNames = new Set(['127.0.0.1', '::1', 'localhost']);

function list<T extends string>(values: readonly T[]) {
  const error = `must be a comma-separated choice of ${values.join(', ')}`;
  return z
    .string()
    .transform((value) => value.split(',').map((entry) => entry.trim()))
    .pipe(z.array(z.enum(values, { error })).min(1, { error }));
}

const environment = z.object({
  PORT: integer(0, 65_535).default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  DATA_DIR: z.string().min(1).default('.millrace'),
  ROLES: list(roles).default([...roles]),
  DATABASE_URL: url('postgres://', 'postgresql://').optional(),
  DATABASE_POOL: integer(2, 1000).default(10),
  DATABASE_READ_URL: url('postgres://', 'postgresql://').optional(),
  DATABASE_READ_LAG: duration.default(ms('1s')),
  QUEUE_URL: url('sqlite:', 'memory:', 'redis://', 'rediss://', 'postgres://', 'postgresql://').optional(),
  LIMITS_URL: url('database:', 'memory:', 'redis://', 'rediss://').default('database:'),
  RELAY_URL: url('memory:', 'redis://', 'rediss://', 'nats://', 'tls://').default('memory:'),
  OBJECTS_URL: url('file://', 's3://').optional(),
  EXECUTOR_URL: url('process:', 'bwrap:', 'docker:', 'podman:', 'k8s:').default('process:'),
  WORKER_CONCURRENCY: integer(1, 10_000).default(8),
  WORKER_LEASE: duration.default(ms('10s')),
  RUN_TIMEOUT: duration.default(ms('1h')),
  PARK_AFTER: duration.default(ms('1m')),
  RUN_MAX_ATTEMPTS: integer(1, 1000).default(5),
  RUN_LOG_BYTES: integer(1024, 2 ** 40).default(64 * 2 ** 20),
  AGENTS_DIR: z.string().min(1).optional(),
  ANTHROPIC_API_KEY: z.string().optional(),
  ANTHROPIC_BASE_URL: httpUrl.default('https://api.anthropic.com'),
  OPENAI_API_KEY: z.string().optional(),
  OPENAI_BASE_URL: httpUrl.default('https://api.openai.com'),
  GEMINI_API_KEY: z.string().optional(),
  GEMINI_BASE_URL: httpUrl.default('https://generativelanguage.googleapis.com'),
  AUTH: z.enum(['none', 'keys'], { error: 'must be none or keys' }).optional(),
  ADMIN_API_KEY: z.string().min(32, { error: 'must have at least 32 characters' }).optional(),
  API_RATE: integer(1, 10_000_000).default(6000),
  API_STREAMS: integer(1, 1_000_000).default(1000),
  ...githubVariables,
  REPO_PROTOCOLS: list(['https', 'http', 'ssh', 'git', 'file']).optional(),
  BODY_LIMIT: integer(1024, 2 ** 30).default(1_048_576),
  LOG_ARCHIVE_AFTER: duration.default(ms('1h')),
  ARTIFACT_RETENTION: duration.default(ms('30d')),
  WEBHOOK_RETENTION: duration.default(ms('30d')),
  BACKUP_MARKER: z.string().min(1).optional(),
  DRAIN_DELAY: duration.optional(),
  GATEWAY_URL: httpUrl.optional(),
  DRAIN_TIMEOUT: duration.default(ms('30s')),
  POLL_INTERVAL: duration.default(500),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
});

/** The settings of one process, checked, with every default filled in. Durations are milliseconds. */
export interface Config {
  readonly port: number;
  readonly host: string;
  readonly dataDirectory: string;
  readonly roles: readonly Role[];
  /** `embedded:` means the PostgreSQL that npm installed, in the data directory. */
  readonly databaseUrl: string;
  readonly databasePool: number;
  /** A standby that the API reads from, and the milliseconds that it may be behind. */
  readonly replica: { readonly url: string; readonly maxLag: number } | undefined;
  readonly queueUrl: string;
  /** Where limits, breakers and budgets are shared; `database:` means the database. */
  readonly limitsUrl: string;
  readonly relayUrl: string;
  readonly objectsUrl: string;
  readonly executorUrl: string;
  readonly workerConcurrency: number;
  /** How long the runs of a crashed worker wait for another one. */
  readonly workerLease: number;
  readonly runTimeout: number;
  /** A run whose model cannot be called for so long gives up its place. */
  readonly parkAfter: number;
  readonly runMaxAttempts: number;
  readonly runLogBytes: number;
  /** Folder with the programs of agents that are installed on demand. */
  readonly agentsDirectory: string;
  /** Keys of the providers that agents may use, through the gateway only. */
  readonly providerAccounts: Partial<Readonly<Record<ProviderName, ProviderAccount>>>;
  /** Secrets that sign webhooks; two during a rotation. */
  readonly webhookSecrets: readonly string[];
  /** GitHub as a forge; absent where no token and no App is given. */
  readonly github: GithubSettings | undefined;
  /** When the forge is asked what its webhooks did not tell. */
  readonly ci: CiSettings;
  readonly repoProtocols: readonly string[];
  /** Whether requests need a key; without keys only loopback is served. */
  readonly auth: 'none' | 'keys';
  /** A key with every scope, to make the first tenants and keys with. */
  readonly adminKey: string | undefined;
  /** Requests a minute per key, in each process. */
  readonly apiRate: number;
  /** Event streams open at a time per tenant, in each process. */
  readonly apiStreams: number;
  readonly bodyLimit: number;
  readonly drainTimeout: number;
  /** How long after its end a run's log stays in the database, and its artifacts anywhere; how long webhooks are known. */
  readonly retention: { readonly archiveLogs: number; readonly artifacts: number; readonly webhooks: number };
  /** File that the backup of the database writes when it has verified one; its age is watched. */
  readonly backupMarker: string | undefined;
  /** How long requests are still taken after readiness has fallen, so that whoever asks for it can look elsewhere. */
  readonly drainDelay: number;
  /** Where agents reach this process's gateway, when they do not see its own address. */
  readonly gatewayUrl: string | undefined;
  readonly pollInterval: number;
  readonly logLevel: string;
}

/**
 * Reads the settings from the environment.
 * @throws {ConfigError} one line that names the first variable that is wrong, and what it must be.
 */
export function readConfig(variables: NodeJS.ProcessEnv, workingDirectory: string = process.cwd()): Config {
  const present = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(present);
  if (!parsed.success) throw configError(parsed.error, variables);
  const value = parsed.data;
  const dataDirectory = resolve(workingDirectory, value.DATA_DIR);
  return {
    port: value.PORT,
    host: value.HOST,
    dataDirectory,
    roles: value.ROLES,
    databaseUrl: value.DATABASE_URL ?? 'embedded:',
    databasePool: value.DATABASE_POOL,
    replica: value.DATABASE_READ_URL ? { url: value.DATABASE_READ_URL, maxLag: value.DATABASE_READ_LAG } : undefined,
    queueUrl: value.QUEUE_URL ?? `sqlite://${join(dataDirectory, 'queue.db')}`,
    limitsUrl: value.LIMITS_URL,
    relayUrl: value.RELAY_URL,
    objectsUrl: value.OBJECTS_URL ?? `file://${join(dataDirectory, 'objects')}`,
    executorUrl: value.EXECUTOR_URL,
    workerConcurrency: value.WORKER_CONCURRENCY,
    workerLease: value.WORKER_LEASE,
    runTimeout: value.RUN_TIMEOUT,
    parkAfter: value.PARK_AFTER,
    runMaxAttempts: value.RUN_MAX_ATTEMPTS,
    runLogBytes: value.RUN_LOG_BYTES,
    agentsDirectory: value.AGENTS_DIR ? resolve(workingDirectory, value.AGENTS_DIR) : join(dataDirectory, 'agents'),
    providerAccounts: {
      ...account('anthropic', value.ANTHROPIC_API_KEY, value.ANTHROPIC_BASE_URL),
      ...account('openai', value.OPENAI_API_KEY, value.OPENAI_BASE_URL),
      ...account('gemini', value.GEMINI_API_KEY, value.GEMINI_BASE_URL),
    },
    webhookSecrets: value.GITHUB_WEBHOOK_SECRET.split(',')
      .map((secret) => secret.trim())
      .filter(Boolean),
    github: githubSettings(value),
    ci: {
      silence: value.CI_SILENCE,
      slowPoll: value.CI_SLOW_POLL,
      noChecks: value.CI_NO_CHECKS,
      callsPerHour: value.CI_CALLS_PER_HOUR,
      sweepInterval: value.CI_SWEEP_INTERVAL,
    },
    repoProtocols: value.REPO_PROTOCOLS ?? defaultProtocols(value.HOST),
    auth: authOf(value.AUTH, value.HOST),
    adminKey: value.ADMIN_API_KEY,
    apiRate: value.API_RATE,
    apiStreams: value.API_STREAMS,
    bodyLimit: value.BODY_LIMIT,
    drainTimeout: value.DRAIN_TIMEOUT,
    retention: {
      archiveLogs: value.LOG_ARCHIVE_AFTER,
      artifacts: value.ARTIFACT_RETENTION,
      webhooks: value.WEBHOOK_RETENTION,
    },
    backupMarker: value.BACKUP_MARKER,
    drainDelay: value.DRAIN_DELAY ?? 0,
    gatewayUrl: value.GATEWAY_URL,
    pollInterval: value.POLL_INTERVAL,
    logLevel: value.LOG_LEVEL,
  };
}

function authOf(auth: Config['auth'] | undefined, host: string): Config['auth'] {
  if (auth === 'none' && !isLoopback(host)) {
    throw new ConfigError(`AUTH none is for loopback only, because agents run any command; HOST is ${host}.`);
  }
  return auth ?? (isLoopback(host) ? 'none' : 'keys');
}

function account(provider: ProviderName, key: string | undefined, baseUrl: string) {
  return key ? { [provider]: { key, baseUrl } } : {};
}

/** Only a server that nobody else can reach may be asked to read this machine's own repositories. */
function defaultProtocols(host: string): string[] {
  return isLoopback(host) ? ['https', 'http', 'ssh', 'file'] : ['https', 'ssh'];
}

export function isLoopback(host: string): boolean {
  return loopbackNames.has(host);
}

function configError(error: z.ZodError, variables: NodeJS.ProcessEnv): ConfigError {
  const issue = error.issues[0];
  const name = String(issue?.path[0] ?? 'environment');
  const given = variables[name];
  const secret = /KEY|SECRET|TOKEN/.test(name);
  const seen = given === undefined || secret ? '' : `, not ${JSON.stringify(maskSecrets(given))}`;
  return new ConfigError(`${name} ${issue?.message ?? 'is not valid'}${seen}.`);
}

/** Hides the password in a URL, and everything of a query, which may hold one. */
export function maskSecrets(text: string): string {
  return text.replace(/:\/\/([^:@/?#]*):[^@/?#]*@/, '://$1:***@').replace(/\?.*$/, '?***');
}
