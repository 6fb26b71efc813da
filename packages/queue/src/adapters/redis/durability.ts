import { StoreUnavailableError } from '../../errors.ts';
import type { ServerFacts } from './checks.ts';
import type { RedisClient } from './client.ts';
import { nodesOf } from './nodes.ts';
import type { RedisSettings } from './options.ts';
import { sharedCall } from './shared-call.ts';
import { toStoreError } from './store-errors.ts';

/**
 * Called before something is written under these prefixes; what it answers is called after, and waits until that is safe.
 * The second throws StoreUnavailableError when it cannot tell.
 */
export type Persist = (prefixes: readonly string[]) => () => Promise<void>;

/**
 * Waits after a write until disk and replicas have it (Redis: WAITAOF, WAIT). Nothing to do unless asked for.
 * A wait that falls short is an error although the jobs may be stored: enqueueing them again, with the same ids, is harmless.
 *
 * Redis waits for what came over the same connection. So the connections, known before the write, must be the same after it: over another one,
 * or to another server, there would be nothing to wait for and everything would seem safe.
 */
export function createPersist(client: RedisClient, settings: RedisSettings, { waitsForDisk }: ServerFacts): Persist {
  const { durability, replicas, waitTimeout } = settings;
  if (durability === 'server') return () => async () => undefined;
  const closes = new WeakMap<RedisClient, { count: number }>();
  const asks = new WeakMap<RedisClient, () => ReturnType<typeof askNode>>();

  function closesOf(node: RedisClient): number {
    const known = closes.get(node);
    if (known !== undefined) return known.count;
    const fresh = { count: 0 };
    closes.set(node, fresh);
    node.on('close', () => {
      fresh.count += 1;
    });
    return 0;
  }

  async function askNode(node: RedisClient): Promise<readonly [disks: number, copies: number]> {
    try {
      const disks = waitsForDisk ? disksOf(node) : 1;
      const copies = node.call('WAIT', replicas, waitTimeout).then(Number);
      return await Promise.all([disks, copies]);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** WAITAOF counts only replicas with an append-only file of their own: they are asked for by WAIT, and the server's disk by this. */
  async function disksOf(node: RedisClient): Promise<number> {
    try {
      const [disks] = (await node.call('WAITAOF', 1, 0, waitTimeout)) as readonly [number, number];
      return disks;
    } catch (error) {
      // A server without an append-only file, of which the start has warned: there is no disk to wait for.
      if (error instanceof Error && error.message.includes('appendonly is disabled')) return 1;
      throw error;
    }
  }

  /** Waits queue up on a connection: one for each enqueue would make the last of many that fail wait for all the others' time. */
  function askOf(node: RedisClient): () => ReturnType<typeof askNode> {
    const known = asks.get(node);
    if (known !== undefined) return known;
    const fresh = sharedCall(() => askNode(node));
    asks.set(node, fresh);
    return fresh;
  }

  async function wait(node: RedisClient): Promise<void> {
    const [disks, copies] = await askOf(node)();
    if (disks >= 1 && copies >= replicas) return;
    throw new StoreUnavailableError(
      `Redis stored the jobs, but within ${waitTimeout} ms only ${copies} of ${replicas} replicas and ${disks} of 1 disks had them.`,
      { retryAfter: waitTimeout },
    );
  }

  return (prefixes) => {
    const before = nodesOf(client, prefixes).map((node) => ({ node, closes: closesOf(node) }));
    return async () => {
      await Promise.all(before.map(({ node }) => wait(node)));
      const after = nodesOf(client, prefixes);
      const isSame = before.every(({ node, closes: count }) => after.includes(node) && closesOf(node) === count);
      if (isSame && after.length === before.length && before.length > 0) return;
      throw new StoreUnavailableError(
        'Redis stored the jobs, but the connection changed before its replicas had confirmed them. Enqueue them again, with the same ids.',
      );
    };
  };
}
