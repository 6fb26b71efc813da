import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { NotStored, type Verdict } from './exchange.ts';
import { sendAnswer } from './node-answer.ts';
import type { HttpSettings } from './options.ts';
import { recorderFor } from './record-response.ts';
import type { Recorder } from './recorder.ts';
import { bypassMarker, keptHeaders, type StoredResponse } from './stored-response.ts';

type Encoding = BufferEncoding;
type Callback = (error?: Error | null) => void;

/**
 * Records what a handler writes to a Node response. The end, and with a Content-Length the last chunk, waits until the recording is
 * stored; then the response stands, or another answer takes its place if nothing has been sent.
 */
export function recordNodeResponse<R>(
  settings: HttpSettings<R>,
  response: ServerResponse,
  verdict: Promise<Verdict>,
): Promise<StoredResponse> {
  return new Promise((resolve, reject) => {
    const interception = new Interception(settings, response, { resolve, reject, verdict });
    interception.install();
  });
}

interface Outcome {
  resolve(stored: StoredResponse): void;
  reject(error: unknown): void;
  readonly verdict: Promise<Verdict>;
}

class Interception<R> {
  readonly #settings: HttpSettings<R>;
  readonly #response: ServerResponse;
  readonly #outcome: Outcome;
  readonly #original: Pick<ServerResponse, 'write' | 'end' | 'writeHead' | 'flushHeaders'>;
  #recorder: Recorder | undefined;
  /** Recording happens in the order of the writes. */
  #recording: Promise<void> = Promise.resolve();
  #held: Buffer | undefined;
  #ended = false;

  constructor(settings: HttpSettings<R>, response: ServerResponse, outcome: Outcome) {
    this.#settings = settings;
    this.#response = response;
    this.#outcome = outcome;
    const { write, end, writeHead, flushHeaders } = response;
    this.#original = { write, end, writeHead, flushHeaders };
  }

  install(): void {
    this.#response.writeHead = ((status: number, ...rest: unknown[]) => this.#writeHead(status, rest)) as never;
    this.#response.write = ((...args: unknown[]) => this.#write(...parse(args))) as never;
    this.#response.end = ((...args: unknown[]) => this.#end(...parse(args))) as never;
    this.#response.flushHeaders = () => {
      this.#beginSending();
      this.#original.flushHeaders.call(this.#response);
    };
    afterDisconnect(this.#response, this.#settings.disconnectGrace, () => {
      if (!this.#ended) this.#outcome.reject(new NotStored());
    });
  }

  /** Remembered, not sent: until the first byte leaves, another answer may still take the place of this one. */
  #writeHead(status: number, rest: readonly unknown[]): ServerResponse {
    const [first, second] = rest;
    this.#response.statusCode = status;
    if (typeof first === 'string') this.#response.statusMessage = first;
    setHeaders(this.#response, typeof first === 'string' ? second : first);
    return this.#response;
  }

  /** Node writes the head by calling `writeHead` of the response when the first byte is due. */
  #beginSending(): void {
    this.#response.writeHead = this.#original.writeHead;
  }

  #write(chunk: Buffer | undefined, callback: Callback | undefined): boolean {
    if (chunk) this.#record(chunk);
    const next = this.#holdsBack() ? this.#held : chunk;
    if (this.#holdsBack()) this.#held = chunk ?? this.#held;
    if (next) this.#beginSending();
    const flowing = next ? this.#original.write.call(this.#response, next, 'utf8', undefined) : true;
    if (callback) queueMicrotask(callback);
    return flowing;
  }

  #end(chunk: Buffer | undefined, callback: Callback | undefined): ServerResponse {
    if (this.#ended) return this.#response;
    if (chunk) this.#record(chunk);
    this.#ended = true;
    const rest = Buffer.concat([this.#held, chunk].filter((part) => part !== undefined));
    this.#outcome.verdict.then(
      (verdict) => this.#close(verdict, rest, callback),
      (error: unknown) => this.#response.destroy(error instanceof Error ? error : undefined),
    );
    this.#settle();
    return this.#response;
  }

  #settle(): void {
    if (!this.#settings.storable(this.#response.statusCode)) {
      this.#outcome.reject(new NotStored());
      return;
    }
    const { statusCode: status } = this.#response;
    const headers = keptHeaders(headerPairs(this.#response), this.#settings.headers);
    const recorder = this.#started();
    this.#recording
      .then(() => recorder.finish())
      .then((body) => this.#outcome.resolve({ status, headers, body }))
      .catch(this.#outcome.reject);
  }

  #close(verdict: Verdict, rest: Buffer, callback: Callback | undefined): void {
    const response = this.#response;
    Object.assign(response, this.#original);
    if (verdict.kind === 'answer') {
      if (response.headersSent) response.destroy();
      else sendAnswer(response, verdict.answer);
      return;
    }
    if (verdict.bypassed && !response.headersSent) response.setHeader(...bypassMarker);
    if (rest.length > 0) response.end(rest, callback as () => void);
    else response.end(callback as () => void);
  }

  #record(chunk: Buffer): void {
    if (!this.#settings.storable(this.#response.statusCode)) return;
    const recorder = this.#started();
    this.#recording = this.#recording.then(() => recorder.add(chunk));
  }

  #started(): Recorder {
    this.#recorder ??= recorderFor(this.#settings, String(this.#response.getHeader('content-type') ?? ''));
    return this.#recorder;
  }

  #holdsBack(): boolean {
    return this.#response.hasHeader('content-length');
  }
}

/** Calls `abandon` when the client has been gone for `grace` milliseconds. */
export function afterDisconnect(response: ServerResponse, grace: number, abandon: () => void): void {
  response.once('close', () => {
    if (response.writableFinished) return;
    setTimeout(abandon, grace).unref();
  });
}

/** `(chunk?, encoding?, callback?)` with any of them left out, as Node allows. */
function parse(args: readonly unknown[]): [chunk: Buffer | undefined, callback: Callback | undefined] {
  const callback = args.find((arg) => typeof arg === 'function') as Callback | undefined;
  const [chunk, encoding] = args;
  if (typeof chunk === 'string') {
    return [Buffer.from(chunk, typeof encoding === 'string' ? (encoding as Encoding) : 'utf8'), callback];
  }
  return [chunk instanceof Uint8Array ? Buffer.from(chunk) : undefined, callback];
}

/** Headers as `writeHead` takes them: an object, or names and values in turn. */
function setHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    const pairs = Array.isArray(headers[0]) ? (headers as [string, string][]) : inPairs(headers as string[]);
    for (const [name] of pairs) response.removeHeader(name);
    for (const [name, value] of pairs) response.appendHeader(name, value);
  } else if (typeof headers === 'object' && headers !== null) {
    for (const [name, value] of Object.entries(headers as Record<string, OutgoingHttpHeader | undefined>)) {
      if (value !== undefined) response.setHeader(name, value);
    }
  }
}

function inPairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as [string, string]] : []));
}

function headerPairs(response: ServerResponse): [string, string][] {
  return Object.entries(response.getHeaders()).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, String(one)]),
  );
}
