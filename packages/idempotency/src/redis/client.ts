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
