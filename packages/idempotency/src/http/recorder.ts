/** Where response bodies go that are too large for the store. */
export interface Spill {
  /** Keeps a body and returns the reference under which `read` finds it. Called at most once per execution. */
  write(body: ReadableStream<Uint8Array>): Promise<string>;
  /** The body again. */
  read(reference: string): Promise<ReadableStream<Uint8Array> | Uint8Array>;
}

/** A response body as it is stored. `none` was too large or a stream that is not kept. */
export type StoredBody =
  | { readonly kind: 'text' | 'base64'; readonly data: string }
  | { readonly kind: 'spilled'; readonly reference: string }
  | { readonly kind: 'none' };

/** Collects a body while it is sent. */
export interface Recorder {
  /** True while everything so far fits into the store. */
  readonly fits: boolean;
  /** Takes a chunk; settles when the recorder is ready for the next. */
  add(chunk: Uint8Array): Promise<void>;
  /** The body is complete. */
  finish(): Promise<StoredBody>;
  /** The body failed on the way; frees what was begun. */
  abandon(error: unknown): Promise<void>;
}

/** Collects up to `limit` bytes in memory; beyond that, hands everything to `spill`, or forgets it. */
export function createRecorder(limit: number, spill: Spill | undefined): Recorder {
  let chunks: Uint8Array[] = [];
  let size = 0;
  let spilling:
    | { readonly writer: WritableStreamDefaultWriter<Uint8Array>; readonly done: Promise<string> }
    | undefined;

  const overflow = async (): Promise<void> => {
    const kept = chunks;
    chunks = [];
    if (!spill) return;
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    spilling = { writer: writable.getWriter(), done: spill.write(readable) };
    // Reported by finish(); until then a failing spill must not count as unhandled.
    spilling.done.catch(() => undefined);
    for (const chunk of kept) await pass(chunk);
  };
  const pass = async (chunk: Uint8Array): Promise<void> => {
    if (spilling) await Promise.race([spilling.writer.write(chunk), spilling.done]).catch(() => undefined);
  };

  return {
    get fits() {
      return size <= limit;
    },
    async add(chunk) {
      const fitted = size <= limit;
      size += chunk.byteLength;
      if (fitted) chunks.push(chunk);
      if (size <= limit) return;
      if (fitted) await overflow();
      else await pass(chunk);
    },
    async finish() {
      if (size <= limit) return storedBody(Buffer.concat(chunks));
      if (!spilling) return { kind: 'none' };
      await spilling.writer.close().catch(() => undefined);
      return { kind: 'spilled', reference: await spilling.done };
    },
    async abandon(error) {
      chunks = [];
      await spilling?.writer.abort(error).catch(() => undefined);
    },
  };
}

/** UTF-8 text stays readable in the store; anything else becomes base64. */
function storedBody(bytes: Buffer): StoredBody {
  try {
    return { kind: 'text', data: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { kind: 'base64', data: bytes.toString('base64') };
  }
}
