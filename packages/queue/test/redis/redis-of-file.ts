import { type RedisServer, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';

/** A Redis for the tests of one file, and a connection that looks at it from outside. Both are there once the tests run. */
export function redisOfFile(): { readonly url: string; readonly admin: Redis } {
  let server: RedisServer;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.url);
  });
  afterAll(async () => {
    admin.disconnect();
    await server.stop();
  });
  return {
    get url() {
      return server.url;
    },
    get admin() {
      return admin;
    },
  };
}
