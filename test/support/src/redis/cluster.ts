import { Redis } from 'ioredis';
import { waitFor } from '../wait.ts';
import { type RedisServer, startRedis } from './server.ts';

/** A Redis Cluster for tests. */
export interface RedisCluster extends AsyncDisposable {
  /** One URL per node, masters first. */
  readonly urls: readonly string[];
  /** The nodes' addresses, as `new Cluster(nodes)` of ioredis takes them. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The servers, to crash and to restart: first the masters, then one replica of each where there are any. */
  readonly servers: readonly RedisServer[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;
/** Redis refuses a cluster with fewer. */
const MASTERS = 3;

/**
 * Starts a Redis Cluster of three masters, with one replica each when `nodes` is 6.
 * A replica takes over within about two seconds (`cluster-node-timeout` 1 s).
 * @param nodes 3 or 6. @default 3
 */
export async function startRedisCluster({ nodes = 3 }: { readonly nodes?: 3 | 6 } = {}): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-config-file', 'nodes.conf'];
  const servers = await Promise.all(Array.from({ length: nodes }, () => startClusterNode(args)));
  const clients = servers.map(({ port }) => new Redis({ port, host: '127.0.0.1' }));
  try {
    await form(clients, servers);
  } finally {
    for (const client of clients) client.disconnect();
  }
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  return {
    servers,
    urls: servers.map(({ url }) => url),
    nodes: servers.map(({ host, port }) => ({ host, port })),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The bus between nodes listens on port + 10000, which the free port below 32000 leaves room for. */
function startClusterNode(args: readonly string[]): Promise<RedisServer> {
  return startRedis({ own: true, persistent: true, args });
}

async function form(clients: readonly Redis[], servers: readonly RedisServer[]): Promise<void> {
  const masters = clients.slice(0, MASTERS);
  for (const [index, client] of masters.entries()) {
    const first = Math.floor((index * SLOTS) / MASTERS);
    const last = Math.floor(((index + 1) * SLOTS) / MASTERS) - 1;
    await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
    await client.cluster('SET-CONFIG-EPOCH', index + 1);
  }
  const [seed] = clients;
  for (const { host, port } of servers.slice(1)) await seed?.cluster('MEET', host, port);
  await everywhere(clients, async (client) => (await info(client)).includes(`cluster_known_nodes:${servers.length}`));
  for (const [index, replica] of clients.slice(MASTERS).entries()) {
    const master = masters[index];
    if (master) await replicate(replica, (await master.cluster('MYID')) as string);
  }
  await everywhere(clients, async (client) => (await info(client)).includes('cluster_state:ok'));
  await everywhere(clients.slice(MASTERS), async (client) => (await client.info()).includes('master_link_status:up'));
}

/** A node learns of another through gossip; it can follow only one that it knows. */
async function replicate(replica: Redis, masterId: string): Promise<void> {
  await waitFor(
    () =>
      replica.cluster('REPLICATE', masterId).then(
        () => true,
        () => false,
      ),
    { what: 'a replica to know its master' },
  );
}

async function everywhere(clients: readonly Redis[], condition: (client: Redis) => Promise<boolean>): Promise<void> {
  for (const client of clients)
    await waitFor(() => condition(client), { timeout: 30_000, what: 'the cluster to form' });
}

async function info(client: Redis): Promise<string> {
  return String(await client.cluster('INFO'));
}
