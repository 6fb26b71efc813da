import { LRUCache } from 'lru-cache';
import { digest } from '../canonical.ts';
import type { ProviderCall } from './preset.ts';

interface Kept {
  readonly etag: string;
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Answers to GETs with their ETags: an unchanged one costs nothing of GitHub's primary limit. Kept apart per credential. */
export class EtagCache {
  readonly #kept: LRUCache<string, Kept>;

  constructor(maxBytes: number) {
    this.#kept = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ body }) => body.byteLength + 1_024 });
  }

  /** The ETag to send along, unless the caller sends one of their own. */
  etagFor(call: ProviderCall): string | undefined {
    if (call.method !== 'GET' || call.headers.has('if-none-match')) return undefined;
    return this.#kept.get(nameOf(call))?.etag;
  }

  /** The kept answer that a 304 stands for. */
  answer(call: ProviderCall, fresh: Response): Response | undefined {
    const kept = this.#kept.get(nameOf(call));
    if (kept === undefined) return undefined;
    const headers = new Headers(kept.headers);
    for (const [name, value] of fresh.headers) if (name.startsWith('x-ratelimit-')) headers.set(name, value);
    return new Response(kept.body, { status: kept.status, headers });
  }

  /** Keeps an answer that has an ETag. */
  async keep(call: ProviderCall, response: Response): Promise<void> {
    const etag = response.headers.get('etag');
    if (call.method !== 'GET' || response.status !== 200 || etag === null) return;
    const body = new Uint8Array(await response.clone().arrayBuffer());
    // The body is kept decoded.
    const headers = [...response.headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
    this.#kept.set(nameOf(call), { etag, status: 200, headers, body });
  }
}

function nameOf({ url, headers }: ProviderCall): string {
  return digest(JSON.stringify([headers.get('authorization'), headers.get('accept'), url.href]));
}
