import { createServer, connect as dial, type Socket } from 'node:net';
import { type RedisServer, startRedis, waitFor } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectionSettings, type RedisClient, silence } from '../../src/adapters/redis/client.ts';
import { createHints } from '../../src/adapters/redis/hints.ts';

let redis: RedisServer;
let admin: Redis;
const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);

beforeAll(async () => {
  redis = await startRedis({ own: true });
  admin = new Redis(redis.url);
  process.on('unhandledRejection', onRejection);
});
afterAll(async () => {
  process.off('unhandledRejection', onRejection);
  admin.disconnect();
  await redis.stop();
});

/** A link that loses its connection, so many times, at the moment a client subscribes. */
async function startSubscribeBreaker(): Promise<{
  port: number;
  breakNext(times: number): Promise<unknown>;
  stop(): void;
}> {
  const target = Number(new URL(redis.url).port);
  const sockets = new Set<Socket>();
  let left = 0;
  const server = createServer((client) => {
    const upstream = dial(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => undefined));
      socket.on('close', () => [client, upstream].forEach((end) => void end.destroy()));
    }
    upstream.pipe(client);
    client.on('data', (chunk) => {
      if (left === 0 || !/subscribe/i.test(String(chunk))) return void upstream.write(chunk);
      left -= 1;
      client.destroy();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const destroyAll = (): void => sockets.forEach((socket) => void socket.destroy());
  return {
    port: (server.address() as { port: number }).port,
    breakNext(times) {
      left = times;
      destroyAll();
      return waitFor(() => left === 0, { what: 'so many tries to subscribe' });
    },
    stop() {
      destroyAll();
      server.close();
    },
  };
}

test.each([0, 1, 20])(
  'connections lost while subscribing again (%i retries per request) reject nothing and lose no channel',
  async (retries) => {
    const link = await startSubscribeBreaker();
    const client = new Redis({
      host: '127.0.0.1',
      port: link.port,
      ...connectionSettings,
      maxRetriesPerRequest: retries,
      retryStrategy: () => 5,
    });
    silence(client as unknown as RedisClient);
    const hints = createHints(client as unknown as RedisClient, ['common']);
    const heard: string[] = [];
    hints.watch((hint) => heard.push(hint));
    const stopOwn = hints.listen('own', (message) => heard.push(message));
    hints.listen('dropped', (message) => void heard.push(message))();
    const toldOfBoth = async (): Promise<boolean> => {
      await admin.publish('common', 'ready');
      await admin.publish('own', 'mine');
      return heard.includes('ready') && heard.includes('mine');
    };
    await waitFor(toldOfBoth, { what: 'the first hints' });

    await link.breakNext(6);
    heard.length = 0;
    await waitFor(toldOfBoth, { what: 'hints after six lost connections' });
    expect(await admin.publish('dropped', 'nobody')).toBe(0);
    stopOwn();
    await waitFor(async () => (await admin.publish('own', 'mine')) === 0, { what: 'the channel to be left' });

    hints.close();
    client.disconnect();
    link.stop();
    expect(rejections).toEqual([]);
  },
);
