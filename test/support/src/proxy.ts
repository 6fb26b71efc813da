import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Link, type LinkFaults } from './proxy-link.ts';

/** Where a proxy leads. */
export interface ProxyOptions {
  /** `host:port`, a port of 127.0.0.1, or a URL with both (`redis://127.0.0.1:7000`). */
  readonly target: string | number;
  /** Port to listen on, so that a proxy can stand for a server that announces its own. @default a free one */
  readonly port?: number;
}

/** A TCP link between a client and a server that breaks on command. */
export interface Proxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The target as it was given, with the proxy's host and port in the place of its own. */
  readonly url: string;
  /** Open connections. */
  connections(): number;
  /** Bytes that freeze() and loseAnswers() have swallowed since the start: wait for it to grow to know that one was lost. */
  lostBytes(): number;
  /** Resets every open connection (RST), and refuses new ones until restore(). */
  cut(): void;
  /** Resets every open connection once; new ones are served. */
  reset(): void;
  /** Accepts connections, swallows what is sent, and answers nothing until restore(): a partition, seen from a client. */
  freeze(): void;
  /** Delays every chunk by `ms` (± `jitterMs`) in each direction. */
  latency(ms: number, jitterMs?: number): void;
  /**
   * Loses this share of the chunks, of all links together. TCP hides a loss: what is behind it stalls until the packet is
   * sent again (600 ms here), and each third loss is not made good, so that the connection breaks (RST).
   */
  loss(share: number): void;
  /** Chunks lost so far. */
  losses(): number;
  /** Bytes per second in each direction; 0 is without limit. */
  bandwidth(bytesPerSecond: number): void;
  /**
   * Lets requests through to the server and drops its answers: the caller cannot know whether it worked.
   * Connections then stay silent, or are reset as soon as an answer would have come (`reset: true`).
   */
  loseAnswers(options?: { readonly reset?: boolean }): void;
  /** Ends all faults. Connections that lost bytes in freeze() or loseAnswers() are reset: they could never be understood again. */
  restore(): void;
  stop(): Promise<void>;
}

const noFaults = {
  mode: 'open',
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: 0,
  lossEvery: 0,
} as const satisfies Partial<LinkFaults>;

/** Starts a proxy on 127.0.0.1. It lives in the test process and ends with it. */
export async function startProxy({ target, port = 0 }: ProxyOptions): Promise<Proxy> {
  const destination = parseTarget(target);
  const faults: LinkFaults = { ...noFaults, chunks: 0, losses: 0, lostBytes: 0 };
  const links = new Set<Link>();
  const server = createServer((client) => {
    if (faults.mode === 'cut') {
      client.resetAndDestroy();
      return;
    }
    const link = new Link(client, connect({ ...destination, noDelay: true }), faults);
    links.add(link);
    link.onceClosed(() => links.delete(link));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const own = server.address() as AddressInfo;
  const reset = (): void => {
    for (const link of links) link.reset();
  };
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    reset();
    await closed;
  };
  return {
    host: '127.0.0.1',
    port: own.port,
    url: readdressed(target, own.port),
    connections: () => links.size,
    lostBytes: () => faults.lostBytes,
    cut() {
      faults.mode = 'cut';
      reset();
    },
    reset,
    freeze() {
      faults.mode = 'frozen';
    },
    latency(ms, jitterMs = 0) {
      faults.latencyMs = ms;
      faults.jitterMs = jitterMs;
    },
    loss(share) {
      faults.lossEvery = share > 0 ? Math.round(1 / share) : 0;
    },
    losses: () => faults.losses,
    bandwidth(bytesPerSecond) {
      faults.bytesPerSecond = bytesPerSecond;
    },
    loseAnswers(options = {}) {
      faults.mode = options.reset ? 'answers-reset' : 'answers-lost';
    },
    restore() {
      Object.assign(faults, noFaults);
      for (const link of links) if (link.damaged) link.reset();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function parseTarget(target: string | number): { host: string; port: number } {
  if (typeof target === 'number') return { host: '127.0.0.1', port: target };
  const { hostname, port } = new URL(target.includes('://') ? target : `tcp://${target}`);
  if (port === '') throw new Error(`The proxy's target ${target} has no port: write host:port.`);
  return { host: hostname, port: Number(port) };
}

function readdressed(target: string | number, port: number): string {
  if (typeof target === 'number' || !target.includes('://')) return `tcp://127.0.0.1:${port}`;
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return url.href;
}
