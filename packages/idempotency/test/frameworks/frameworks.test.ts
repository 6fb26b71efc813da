import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { IdempotencyStore } from '../../src/index.ts';
import { memoryStore } from '../../src/memory.ts';
import { frameworks } from './servers.ts';
import { openShop, post } from './shop.ts';

describe.each(Object.entries(frameworks))('%s', (_name, start) => {
  test('executes once, replays the answer without its cookie', async () => {
    await using running = await openShop(start);
    const { url, shop } = running;
    const first = await post(`${url}/orders`, '"k1"');
    expect([first.status, first.headers.get('set-cookie')?.slice(0, 3)]).toEqual([201, 'a=1']);
    const body = await first.json();
    expect(body).toEqual({ n: 1, got: { item: 'saw' }, attempt: 1 });
    const again = await post(`${url}/orders`, 'k1');
    expect([again.status, again.headers.get('idempotent-replayed'), again.headers.get('set-cookie')]).toEqual([
      201,
      'true',
      null,
    ]);
    expect(again.headers.get('location')).toBe('/orders/1');
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(await again.json()).toEqual(body);
    expect(shop.orders).toBe(1);
  });

  test('400 without a key, 422 with another body', async () => {
    await using running = await openShop(start);
    const { url, shop } = running;
    const missing = await post(`${url}/orders`, undefined);
    expect([missing.status, missing.headers.get('content-type')]).toEqual([400, 'application/problem+json']);
    expect(await missing.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_KEY_MISSING' });
    await post(`${url}/orders`, 'k1');
    const other = await post(`${url}/orders`, 'k1', { item: 'axe' });
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_MISMATCH' });
    expect(shop.orders).toBe(1);
  });

  test('409 with Retry-After while the first runs', async () => {
    await using running = await openShop(start);
    const { url, shop } = running;
    const first = post(`${url}/slow`, 'k1');
    await expect.poll(() => shop.slow).toBe(1);
    const second = await post(`${url}/slow`, 'k1');
    expect([second.status, Number(second.headers.get('retry-after')) >= 1]).toEqual([409, true]);
    shop.open();
    expect(await (await first).text()).toBe('slow');
    expect(await (await post(`${url}/slow`, 'k1')).text()).toBe('slow');
    expect(shop.slow).toBe(1);
  });

  test('a 503 is not kept', async () => {
    await using running = await openShop(start);
    const { url, shop } = running;
    for (const call of [1, 2]) {
      const response = await post(`${url}/fail`, 'k1');
      expect([response.status, await response.text(), shop.failures]).toEqual([503, 'down', call]);
    }
  });

  test.each(['/stream', '/sized', '/empty'])('%s is sent and replayed whole', async (path) => {
    await using running = await openShop(start);
    const expected = path === '/empty' ? '' : 'one,two,three';
    const first = await post(running.url + path, 'k1');
    expect(await first.text()).toBe(expected);
    const again = await post(running.url + path, 'k1');
    expect([again.status, await again.text(), again.headers.get('idempotent-replayed')]).toEqual([
      first.status,
      expected,
      'true',
    ]);
  });

  test('the last byte does not leave before the response is stored', async () => {
    for (const path of ['/orders', '/sized']) {
      const inner = memoryStore();
      let stored = false;
      const slow: IdempotencyStore = {
        ...inner,
        async complete(...args) {
          await new Promise((resolve) => setTimeout(resolve, 30));
          stored = await inner.complete(...args);
          return stored;
        },
      };
      await using running = await openShop(start, { store: slow });
      await (await post(running.url + path, 'k1')).text();
      expect(stored).toBe(true);
    }
  });

  test('an executor that lost its lease answers 409 instead of its result', async () => {
    const lost: IdempotencyStore = { ...memoryStore(), complete: async () => false };
    await using running = await openShop(start, { store: lost });
    const response = await post(`${running.url}/orders`, 'k1');
    expect([response.status, response.headers.get('set-cookie')]).toEqual([409, null]);
    expect(await response.json()).toMatchObject({ code: 'ERR_LEASE_LOST' });
  });

  test('store down: closed is 503, open is marked', async () => {
    const down: IdempotencyStore = { ...memoryStore(), begin: () => Promise.reject(new Error('ECONNREFUSED')) };
    await using closed = await openShop(start, { store: down });
    const refused = await post(`${closed.url}/orders`, 'k1');
    expect([refused.status, refused.headers.get('retry-after'), closed.shop.orders]).toEqual([503, '1', 0]);
    await using open = await openShop(start, { store: down, onStoreError: 'open' });
    const bypassed = await post(`${open.url}/orders`, 'k1');
    expect([bypassed.status, bypassed.headers.get('idempotency-status')]).toEqual([201, 'bypassed']);
  });

  test('a client that leaves gets the result at its retry', async () => {
    await using running = await openShop(start);
    const { url, shop } = running;
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ item: 'saw' });
    socket.write(
      `POST /slow HTTP/1.1\r\nhost: x\r\nx-user: u1\r\nidempotency-key: k1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(() => shop.slow).toBe(1);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    shop.open();
    await expect.poll(async () => (await post(`${url}/slow`, 'k1')).headers.get('idempotent-replayed')).toBe('true');
    expect(shop.slow).toBe(1);
  });

  test('a key is free again when client and handler are gone', async () => {
    if (start === frameworks.Hono) return; // Fetch has no sign of a client that left before the response began.
    await using running = await openShop(start, {}, { disconnectGrace: 20 });
    const { url, shop } = running;
    const caller = new AbortController();
    const headers = { 'content-type': 'application/json', 'x-user': 'u1', 'idempotency-key': 'k1' };
    fetch(`${url}/slow`, { method: 'POST', body: '{"item":"saw"}', headers, signal: caller.signal }).catch(
      () => undefined,
    );
    await expect.poll(() => shop.slow).toBe(1);
    caller.abort();
    await expect
      .poll(() => {
        post(`${url}/slow`, 'k1').catch(() => undefined);
        return shop.slow;
      })
      .toBeGreaterThan(1);
    shop.open();
  });

  test('tenants do not see each other', async () => {
    await using running = await openShop(start);
    const send = (user: string) =>
      fetch(`${running.url}/orders`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json', 'x-user': user, 'idempotency-key': 'k1' },
      });
    await send('u1');
    const other = await send('u2');
    expect([other.status, other.headers.get('idempotent-replayed'), running.shop.orders]).toEqual([201, null, 2]);
  });
});

test.each(['node:http', 'Hono'])('%s answers 413 to a body over the limit', async (name) => {
  await using running = await openShop(frameworks[name] as never, {}, { maxRequestBytes: 1000 });
  const response = await post(`${running.url}/orders`, 'k1', { item: 'x'.repeat(300_000) });
  expect(response.status).toBe(413);
  expect(await response.json()).toMatchObject({ code: 'ERR_BODY_TOO_LARGE' });
  expect(running.shop.orders).toBe(0);
});

test('Express refuses a body that nobody has parsed', async () => {
  await using running = await openShop(frameworks.Express as never);
  const response = await fetch(`${running.url}/orders`, {
    method: 'POST',
    body: 'plain',
    headers: { 'content-type': 'text/plain', 'x-user': 'u1', 'idempotency-key': 'k1' },
  });
  expect(response.status).toBe(500);
  expect(await response.text()).toContain('mount a body parser');
});
