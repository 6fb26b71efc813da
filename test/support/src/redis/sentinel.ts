import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { temporaryDirectory } from '../files.ts';
import { freePort } from '../ports.ts';
import { startServerProcess } from '../process/server-process.ts';
import { waitFor } from '../wait.ts';
import { redisProgram } from './provision.ts';
import { type RedisServer, redisAnswers, startRedis } from './server.ts';

/** A master, a replica, and the sentinels that watch them. */
export interface RedisSentinel extends AsyncDisposable {
  /** Name of the master, as clients ask the sentinels for it. */
  readonly name: string;
  /** Addresses of the sentinels, as `new Redis({ sentinels, name })` of ioredis takes them. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The master at the start; crash() it to see a failover. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Port of the master that the sentinels name at this moment. */
  masterPort(): Promise<number>;
  stop(): Promise<void>;
}

const NAME = 'millrace';
const QUORUM = 2;

/** Starts Redis with one replica under three sentinels; a dead master is replaced after about two seconds. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  const master = await startRedis({ own: true });
  const replica = await startRedis({ own: true, args: ['--replicaof', '127.0.0.1', String(master.port)] });
  const watchers = await Promise.all([1, 2, 3].map(() => startWatcher(master.port)));
  const ask = new Redis({ host: '127.0.0.1', port: watchers[0]?.port ?? 0, lazyConnect: true });
  ask.on('error', () => {}); // its sentinel may be stopped before it
  const masterPort = async (): Promise<number> => {
    const [, port] = (await ask.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
    return Number(port);
  };
  const ready = async (): Promise<boolean> => {
    const facts = (await ask.call('SENTINEL', 'MASTER', NAME)) as string[];
    const fact = (name: string): string | undefined => facts[facts.indexOf(name) + 1];
    return fact('num-slaves') === '1' && fact('num-other-sentinels') === '2';
  };
  await waitFor(ready, { timeout: 30_000, what: 'the sentinels to find the replica and each other' });
  const stop = async (): Promise<void> => {
    ask.disconnect();
    await Promise.all([...watchers, replica, master].map((server) => server.stop()));
  };
  return {
    name: NAME,
    sentinels: watchers.map(({ port }) => ({ host: '127.0.0.1', port })),
    master,
    replica,
    masterPort,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function startWatcher(masterPort: number): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { command, env } = await redisProgram();
  const { path } = await temporaryDirectory('sentinel');
  const port = await freePort();
  const configuration = join(path, 'sentinel.conf');
  await writeFile(
    configuration,
    [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${path}`,
      `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} ${QUORUM}`,
      `sentinel down-after-milliseconds ${NAME} 1000`,
      `sentinel failover-timeout ${NAME} 3000`,
      '',
    ].join('\n'),
  );
  const server = await startServerProcess({
    command,
    env,
    args: [configuration, '--sentinel'],
    cwd: path,
    log: join(path, 'sentinel.log'),
  });
  await waitFor(() => redisAnswers(port), { what: `a sentinel on port ${port}` });
  return { port, stop: () => server.signal('SIGTERM') };
}
