import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpOptions } from '../../src/http.ts';
import { createIdempotency, type IdempotencyOptions } from '../../src/index.ts';
import { memoryStore } from '../../src/memory.ts';

/** What the handlers of every framework do; each framework has the same routes. */
export interface Shop {
  /** Calls of `POST /orders`. */
  orders: number;
  /** Calls of `POST /fail`, which answers 503. */
  failures: number;
  /** `POST /slow` answers when this settles. */
  gate: Promise<void>;
  /** Calls of `POST /slow`. */
  slow: number;
  open(): void;
}

/** What a test gets. */
export interface RunningShop extends AsyncDisposable {
  readonly url: string;
  readonly shop: Shop;
}

/** Starts a framework's server with the shop's routes behind the adapter. */
export type StartShop = (shop: Shop, options: ShopOptions) => Promise<{ readonly url: string; close(): Promise<void> }>;

/** Options of the adapter that do not depend on the framework. */
export type ShopOptions = Pick<HttpOptions<never>, 'idempotency' | 'streams' | 'maxRequestBytes' | 'disconnectGrace'>;

/** Opens a shop. */
export async function openShop(
  start: StartShop,
  core: Partial<IdempotencyOptions> = {},
  options: Partial<ShopOptions> = {},
): Promise<RunningShop> {
  const idempotency = createIdempotency({ store: memoryStore(), sweepInterval: false, ...core });
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const shop: Shop = { orders: 0, failures: 0, slow: 0, gate, open };
  const { url, close } = await start(shop, { idempotency, ...options });
  return { url, shop, [Symbol.asyncDispose]: close };
}

/** Sends a POST with a key. */
export function post(url: string, key: string | undefined, body: unknown = { item: 'saw' }): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'x-user': 'u1',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
  });
}

/** Listens on a free port of the loopback interface. */
export async function listen(server: Server): Promise<{ readonly url: string; close(): Promise<void> }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
