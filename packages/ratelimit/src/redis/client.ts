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

/** Commands in one write. The server works on them while the tick's next ones are being made, instead of waiting for all. */
const commandsPerWrite = 16;

/**
 * The same client with fewer writes: ioredis hands every command to the socket by itself, and that system call costs more than all the rest of a
 * command. What others send through the client in the same tick travels along.
 */
export function gatherWrites(client: RedisClient): RedisClient {
  let corked: RedisClient['stream'];
  let gathered = 0;
  const gather = (): void => {
    if (corked === undefined) begin();
    else if (gathered % commandsPerWrite === 0) {
      corked.uncork();
      corked.cork();
    }
    gathered += 1;
  };
  const begin = (): void => {
    corked = client.stream;
    if (corked === undefined) return;
    gathered = 0;
    corked.cork();
    // Runs when the promises of this tick have been served: what they send is in.
    process.nextTick(() => {
      corked?.uncork();
      corked = undefined;
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

/**
 * Runs a script in one trip; a server that does not know it (restart, failover) is sent the source once.
 *
 * @param read - makes the answer of the reply
 */
export function run<T>(
  client: RedisClient,
  { source, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
  read: (reply: unknown) => T = (reply) => reply as T,
): Promise<T> {
  return client.evalsha(sha, keys.length, ...keys, ...args).then(read, (error: unknown) => {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return client.eval(source, keys.length, ...keys, ...args).then(read);
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
