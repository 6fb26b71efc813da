import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type RedisServer, startProxy, startRedis, waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis({ own: true });
});
afterAll(() => redis.stop());

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Settles when the connection has ended, in whatever way. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

async function ask(socket: Socket, command: string): Promise<string> {
  socket.write(`${command}\r\n`);
  const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(5_000) });
  return String(data).trim();
}

test('carries both directions and rewrites the URL', async () => {
  await using proxy = await startProxy({ target: redis.url });
  expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`);
  const socket = await open(proxy.port);
  expect(await ask(socket, 'PING')).toBe('+PONG');
  expect(proxy.connections()).toBe(1);
});

test('cut() resets what is open and refuses what is new, until restore()', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const socket = await open(proxy.port);
  const closed = ended(socket);
  proxy.cut();
  await closed;
  const refused = connect({ port: proxy.port, host: '127.0.0.1' });
  refused.on('error', () => {});
  await ended(refused);
  proxy.restore();
  expect(await ask(await open(proxy.port), 'PING')).toBe('+PONG');
});

test('loseAnswers() lets the request take effect and loses the answer', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const socket = await open(proxy.port);
  let answered = false;
  socket.on('data', () => {
    answered = true;
  });
  proxy.loseAnswers();
  socket.write('SET lost yes\r\n');
  const direct = await open(redis.port);
  await waitFor(async () => (await ask(direct, 'EXISTS lost')) === ':1');
  await waitFor(() => proxy.lostBytes() > 0);
  expect(answered).toBe(false);
  const closed = ended(socket);
  proxy.restore();
  await closed;
});

test('loseAnswers({ reset }) cuts the connection where the answer would have come', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const socket = await open(proxy.port);
  const closed = ended(socket);
  proxy.loseAnswers({ reset: true });
  socket.write('SET reset yes\r\n');
  await closed;
  expect(await ask(await open(redis.port), 'EXISTS reset')).toBe(':1');
});

test('freeze() swallows requests while connections stay open', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const command = 'SET frozen yes\r\n';
  const socket = await open(proxy.port);
  proxy.freeze();
  socket.write(command);
  const late = await open(proxy.port);
  late.write(command);
  await waitFor(() => proxy.lostBytes() === 2 * command.length);
  expect(await ask(await open(redis.port), 'EXISTS frozen')).toBe(':0');
  const closed = Promise.all([ended(socket), ended(late)]);
  proxy.restore();
  await closed;
});

test('latency() delays an answer by at least both directions', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const socket = await open(proxy.port);
  proxy.latency(60);
  const start = performance.now();
  expect(await ask(socket, 'PING')).toBe('+PONG');
  // setTimeout may fire up to a millisecond early.
  expect(performance.now() - start).toBeGreaterThanOrEqual(118);
});

test('loss() makes what is behind late, and breaks a connection now and then', async () => {
  await using proxy = await startProxy({ target: redis.port });
  const socket = await open(proxy.port);
  proxy.loss(1);
  expect(await ask(socket, 'PING')).toBe('+PONG');
  expect(proxy.losses()).toBe(2);
  const closed = ended(socket);
  socket.write('PING\r\n');
  await closed;
  expect(proxy.losses()).toBe(3);
});
