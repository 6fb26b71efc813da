import type { IncomingMessage, Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { ConfigError } from '../config.ts';

/** An HTTP server that listens. */
export interface HttpServer {
  readonly url: string;
  /** Takes no new connections and resolves when the open requests have ended, or were cut after `timeout` milliseconds. */
  close(timeout: number): Promise<void>;
}

/** @throws {ConfigError} when the address cannot be used. */
export async function listen(
  fetch: (request: Request, env: { readonly incoming: IncomingMessage }) => Response | Promise<Response>,
  host: string,
  port: number,
): Promise<HttpServer> {
  const server = createAdaptorServer({
    fetch: fetch as Parameters<typeof createAdaptorServer>[0]['fetch'],
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(asConfigError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const actualPort = typeof address === 'object' && address ? address.port : port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actualPort}`,
    close: (timeout) => closeServer(server, timeout),
  };
}

function asConfigError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new ConfigError(`PORT ${port} is in use on ${host}; set PORT to another one (0 takes any free one).`);
  }
  if (error.code === 'EACCES')
    return new ConfigError(`PORT ${port} may not be used by this user; take one above 1024.`);
  if (error.code === 'ENOTFOUND' || error.code === 'EADDRNOTAVAIL') {
    return new ConfigError(`HOST ${host} is not an address of this machine.`);
  }
  return error;
}

async function closeServer(server: Server, timeout: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), timeout);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}
