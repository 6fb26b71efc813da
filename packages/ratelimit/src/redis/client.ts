import { createHash } from 'node:crypto';

/** What the store needs of a Redis client; an ioredis `Redis` or `Cluster` fits. */
export interface RedisClient {
  evalsha(sha: string, numberOfKeys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(script: string, numberOfKeys: number, ...args: (string | number)[]): Promise<unknown>;
  getBuffer(key: string): Promise<Buffer | null>;
  set(key: string, value: Buffer, px: 'PX', milliseconds: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
  /** The connection, where there is one that can gather writes. ioredis' `Redis` has it, its `Cluster` does not. @default none */
  readonly stream?: { cork(): void; uncork(): void };
}

/**
 * The same client, writing to its connection once per tick: ioredis hands every command to the socket by itself, and that system call costs more than
 * all the rest of a command. What others send through the client in the same tick travels along.
 */
export function oneWritePerTick(client: RedisClient): RedisClient {
  let gathering = false;
  const gather = (): void => {
    const { stream } = client;
    if (gathering || stream === undefined) return;
    gathering = true;
    stream.cork();
    // Runs when the promises of this tick have been served: what they send is in.
    process.nextTick(() => {
      gathering = false;
      stream.uncork();
    });
  };
  return {
    evalsha: (...command) => {
      gather();
      return client.evalsha(...command);
    },
    eval: (...command) => client.eval(...command),
    getBuffer: (key) => client.getBuffer(key),
    set: (...command) => client.set(...command),
    del: (key) => client.del(key),
  };
}

/** A Lua script that travels by its digest. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** Makes a {@link Script}. */
export function script(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

/** Every script starts with the server's time: `now` in microseconds, `nowMs` in milliseconds. */
export const serverTime = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local nowMs = math.floor(now / 1000)
`;

/** Runs a script in one trip; a server that does not know it (restart, failover) is sent the source once. */
export function run(
  client: RedisClient,
  { source, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  return client.evalsha(sha, keys.length, ...keys, ...args).then(undefined, (error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return client.eval(source, keys.length, ...keys, ...args);
  });
}

/** Names keys: everything of one `tag` lies in one slot of a Redis Cluster. */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Braces in names would move the hash tag, so names are encoded. */
  name(kind: string, tag: string, rest = ''): string {
    return `${this.#prefix}${kind}:{${encodeURIComponent(tag)}}${rest === '' ? '' : `:${rest}`}`;
  }
}
