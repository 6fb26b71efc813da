import type { RedisClient } from './client.ts';

/** What is used of a Cluster of ioredis: which node has a slot. */
interface ClusterView {
  readonly isCluster: true;
  /** Addresses by slot, the master first. */
  readonly slots: readonly (readonly string[] | undefined)[];
  nodes(
    role: 'master',
  ): readonly (RedisClient & { readonly options: { readonly host?: string; readonly port?: number } })[];
}

/** Whether a client is of a Cluster of ioredis. */
export function isCluster(client: RedisClient | ClusterView): client is RedisClient & ClusterView {
  return (client as Partial<ClusterView>).isCluster === true;
}

/** The servers, as the client knows them now, that have the keys under these prefixes; fewer when the client does not know. */
export function nodesOf(client: RedisClient, prefixes: readonly string[]): readonly RedisClient[] {
  if (!isCluster(client)) return [client];
  const addresses = new Set(prefixes.map((prefix) => client.slots[slotOf(prefix)]?.[0]));
  if (addresses.has(undefined)) return [];
  return client.nodes('master').filter(({ options }) => addresses.has(`${options.host}:${options.port}`));
}

/** The slot of a key with a hash tag: CRC-16 (XMODEM) of the tag, of which Redis has 16,384. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)?.[1] ?? key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return crc & 0x3fff;
}
