import { createHash } from 'node:crypto';

/** What is used of an ioredis `Redis` or `Cluster`. */
export interface RedisClient {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  get(key: string): Promise<string | null>;
  scan(cursor: string, match: 'MATCH', pattern: string, count: 'COUNT', size: number): Promise<[string, string[]]>;
  del(key: string): Promise<number>;
  quit(): Promise<unknown>;
  /** Only a cluster has it. */
  nodes?(role: 'master'): RedisClient[];
}

/** A script and the name under which a server that has seen it finds it. */
export interface Script {
  run(client: RedisClient, key: string, ...args: (string | number)[]): Promise<unknown>;
}

/** Calls by hash, and sends the text only to a server that does not know it (new, restarted, another node of the cluster). */
export function script(text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex');
  return {
    async run(client, key, ...args) {
      try {
        return await client.evalsha(sha, 1, key, ...args);
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return client.eval(text, 1, key, ...args);
      }
    },
  };
}
