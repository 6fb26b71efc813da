import { join } from 'node:path';
import {
  type NatsServer,
  type PostgresServer,
  type RedisServer,
  startNats,
  startPostgres,
  startRedis,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@millrace/test-support';
import { type ServerProcess, startServerProcess } from '../support/process.ts';

/** How many processes of each role. */
export interface DeploymentSize {
  readonly apis: number;
  readonly workers: number;
}

/** A deployment of separate processes over real stores, each of which can be killed. */
export interface Deployment extends AsyncDisposable {
  readonly directory: TemporaryDirectory;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly nats: NatsServer;
  /** Names of the processes: `api-1`, `worker-1`, `ci`, `janitor`. */
  readonly names: readonly string[];
  url(name: string): string;
  databaseUrl: string;
  /** kill -9, and a new process in its place. */
  replace(name: string): Promise<void>;
}

export async function startDeployment({ apis, workers }: DeploymentSize): Promise<Deployment> {
  const directory = await temporaryDirectory('faults');
  const [postgres, redis, nats] = await Promise.all([
    startPostgres({ own: true }),
    startRedis({ own: true, persistent: true }),
    startNats(),
  ]);
  const databaseUrl = await postgres.createDatabase();
  const env = {
    DATA_DIR: join(directory.path, 'data'),
    DATABASE_URL: databaseUrl,
    QUEUE_URL: redis.url,
    RELAY_URL: nats.url,
    WORKER_CONCURRENCY: '8',
    LOG_LEVEL: 'fatal',
  };
  const named = (role: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${role}-${i + 1}`);
  const names = [...named('api', apis), ...named('worker', workers), 'ci', 'janitor'];
  const start = (name: string): Promise<ServerProcess> =>
    startServerProcess({ ...env, ROLES: name.replace(/-\d+$/, '') });
  const processes = new Map<string, ServerProcess>();
  for (const name of names) processes.set(name, await start(name));
  const processOf = (name: string): ServerProcess => {
    const found = processes.get(name);
    if (!found) throw new Error(`There is no process ${name}.`);
    return found;
  };
  return {
    ...{ directory, postgres, redis, nats, names, databaseUrl },
    url: (name) => processOf(name).url,
    async replace(name) {
      await processOf(name).kill();
      processes.set(name, await start(name));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...processes.values()].map((process) => process.kill()));
      await Promise.all([redis.stop(), nats.stop(), postgres.stop()]);
      await directory.remove();
    },
  };
}
