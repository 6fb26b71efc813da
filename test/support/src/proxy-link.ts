import type { Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';

/** What is wrong with a proxy's links at this moment; shared by all of them. */
export interface LinkFaults {
  mode: 'open' | 'cut' | 'frozen' | 'answers-lost' | 'answers-reset';
  latencyMs: number;
  jitterMs: number;
  bytesPerSecond: number;
  /** Of how many chunks one is lost; 0 is none. */
  lossEvery: number;
  /** Chunks carried since losses began. */
  chunks: number;
  /** Chunks lost so far, of all links. */
  losses: number;
  /** Bytes swallowed so far, of all links. */
  lostBytes: number;
}

/** Which way bytes go. */
export type Direction = 'request' | 'answer';

/** TCP sends a lost packet again after a timeout, with which everything behind it comes late. */
const retransmitMs = 600;
/** So many losses until one is not made good: the connection breaks. */
const breakEvery = 3;

/** One client's connection through the proxy. */
export class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #faults: LinkFaults;
  /** Whether bytes were swallowed, so that the protocol on it is out of step for good. */
  damaged = false;

  constructor(client: Socket, server: Socket, faults: LinkFaults) {
    this.#client = client;
    this.#server = server;
    this.#faults = faults;
    client.setNoDelay(true);
    client.pipe(this.#direction('request')).pipe(server);
    server.pipe(this.#direction('answer')).pipe(client);
    // A side that fails takes the other with it; the error itself is the fault that the test asked for.
    client.on('error', () => {});
    server.on('error', () => {});
    client.once('close', () => server.destroy());
    server.once('close', () => this.#serverClosed());
  }

  onceClosed(run: () => void): void {
    this.#client.once('close', run);
  }

  /** Ends both sides at once, with RST instead of FIN. */
  reset(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #serverClosed(): void {
    // Behind a partition a client does not see that the server hung up.
    if (this.#faults.mode === 'frozen') this.damaged = true;
    else this.#client.destroySoon();
  }

  #direction(direction: Direction): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => this.#carry(direction, chunk, done),
    });
  }

  #carry(direction: Direction, chunk: Buffer, done: TransformCallback): void {
    const { mode, latencyMs, jitterMs, bytesPerSecond } = this.#faults;
    if (mode === 'frozen' || (direction === 'answer' && mode === 'answers-lost')) {
      this.damaged = true;
      this.#faults.lostBytes += chunk.length;
      done();
    } else if (direction === 'answer' && mode === 'answers-reset') {
      this.reset();
      done();
    } else {
      const jitter = jitterMs * (Math.random() * 2 - 1);
      const transfer = bytesPerSecond > 0 ? (chunk.length / bytesPerSecond) * 1_000 : 0;
      const delay = Math.max(0, latencyMs + jitter) + transfer + this.#lose();
      if (delay > 0) setTimeout(done, delay, null, chunk);
      else done(null, chunk);
    }
  }

  /** @returns milliseconds by which a loss makes this chunk late */
  #lose(): number {
    const faults = this.#faults;
    if (faults.lossEvery === 0) return 0;
    faults.chunks += 1;
    if (faults.chunks % faults.lossEvery !== 0) return 0;
    faults.losses += 1;
    if (faults.losses % breakEvery === 0) setTimeout(() => this.reset(), retransmitMs / 2);
    return retransmitMs;
  }
}
