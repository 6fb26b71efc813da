import { join } from 'node:path';
import {
  type NatsServer,
  type PostgresServer,
  type RedisServer,
  startGitServer,
  startNats,
  startPostgres,
  startRedis,
  temporaryDirectory,
} from '@millrace/test-support';
import pg from 'pg';
import { type FakeGithub, startFakeGithub } from '../support/fake-github.ts';
import { makeOrigin } from '../support/origin.ts';
import { type ServerProcess, startServerProcess } from '../support/process.ts';

/** How many processes of each role. */
export interface DeploymentSize {
  readonly apis: number;
  readonly workers: number;
}

/** A repository to run on: its address, and the bare repository behind it. */
export interface Origin {
  readonly repo: string;
  readonly bare: string;
}

/** A deployment of separate processes over real stores, each of which can be killed. */
export interface Deployment extends AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  readonly nats: NatsServer;
  readonly github: FakeGithub;
  readonly webhookSecret: string;
  /** Names of the processes that play a role: `worker-1`, `worker-2`. */
  named(role: Role): readonly string[];
  url(name: string): string;
  /** What processes printed that ended without being killed. */
  crashed(): readonly string[];
  /** kill -9. */
  kill(name: string): Promise<void>;
  /** A new process in the place of a killed one. */
  start(name: string): Promise<void>;
  /** A repository of this machine, and one at the fake GitHub. */
  readonly origins: Readonly<Record<'local' | 'github', Origin>>;
  /** Asks the database until it answers: it may be down. */
  ask<Row extends pg.QueryResultRow>(statement: string, values?: readonly unknown[]): Promise<Row[]>;
}

export type Role = 'api' | 'worker' | 'ci' | 'janitor';

const token = 'ghp_of_the_server';
const webhookSecret = 'the-secret-of-the-webhook';

export async function startDeployment({ apis, workers }: DeploymentSize): Promise<Deployment> {
  const directory = await temporaryDirectory('faults');
  const [postgres, redis, nats, github, gitServer] = await Promise.all([
    startPostgres({ own: true }),
    startRedis({ own: true, persistent: true }),
    startNats(),
    startFakeGithub({ owner: 'acme', name: 'app', authorize: (header) => header === `token ${token}` }),
    startGitServer({ auth: { token } }),
  ]);
  const databaseUrl = await postgres.createDatabase();
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  pool.on('error', () => {});
  const env = {
    DATA_DIR: join(directory.path, 'data'),
    DATABASE_URL: databaseUrl,
    QUEUE_URL: redis.url,
    RELAY_URL: nats.url,
    WORKER_CONCURRENCY: '8',
    GITHUB_URL: gitServer.url,
    GITHUB_API_URL: github.url,
    GITHUB_TOKEN: token,
    GITHUB_WEBHOOK_SECRET: webhookSecret,
    // Two loads of 200 pull requests would use up what an hour allows at github.com; a second between two writes remains.
    GITHUB_WRITES_PER_MINUTE: '1000',
    GITHUB_WRITES_PER_HOUR: '10000',
    CI_CALLS_PER_HOUR: '100000',
    // What a crash keeps from arriving is asked for after this silence.
    CI_SILENCE: '2s',
    LOG_LEVEL: 'fatal',
  };
  const numbered = (role: Role, count: number): string[] => Array.from({ length: count }, (_, i) => `${role}-${i + 1}`);
  const names = [...numbered('api', apis), ...numbered('worker', workers), 'ci-1', 'janitor-1'];
  const start = (name: string): Promise<ServerProcess> =>
    startServerProcess({ ...env, ROLES: name.replace(/-\d+$/, '') });
  const processes = new Map(await Promise.all(names.map(async (name) => [name, await start(name)] as const)));
  const processOf = (name: string): ServerProcess => {
    const found = processes.get(name);
    if (!found) throw new Error(`There is no process ${name}.`);
    return found;
  };
  const local = await makeOrigin(directory.path);
  const origins = {
    local: { repo: local, bare: local },
    github: { repo: await gitServer.createRepo('acme/app.git', local), bare: join(gitServer.root, 'acme/app.git') },
  };
  return {
    ...{ postgres, redis, nats, github, webhookSecret, origins },
    named: (role) => names.filter((name) => name.startsWith(role)),
    url: (name) => processOf(name).url,
    crashed: () =>
      [...processes].flatMap(([name, process]) => (process.crashed() ? [`${name}: ${process.output()}`] : [])),
    kill: (name) => processOf(name).kill(),
    async start(name) {
      processes.set(name, await start(name));
    },
    async ask<Row extends pg.QueryResultRow>(statement: string, values: readonly unknown[] = []) {
      for (;;) {
        const answer = await pool
          .query<Row>(statement, [...values])
          .catch((error: { severity?: string; code?: string }) => {
            // 57P…: it shuts down, or starts; no severity: nobody answers.
            if (error.severity && !error.code?.startsWith('57P')) throw error;
          });
        if (answer) return answer.rows;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    async [Symbol.asyncDispose]() {
      await pool.end();
      await Promise.all([...processes.values()].map((process) => process.kill()));
      await Promise.all([redis.stop(), nats.stop(), postgres.stop(), gitServer.stop()]);
      await github[Symbol.asyncDispose]();
      await directory.remove();
    },
  };
}
