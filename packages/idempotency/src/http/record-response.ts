import { NotStored } from './exchange.ts';
import type { HttpSettings } from './options.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import { keptHeaders, type StoredResponse } from './stored-response.ts';

/** Where a recorded response goes. */
export interface Sinks {
  /** The whole response, to be sent when it is stored. */
  whole(response: Response): void;
  /** A response that flows while it is recorded. */
  flowing(response: Response): void;
  /** Settles when the recording is stored; false or a rejection when it was not. */
  readonly stored: Promise<boolean>;
}

/**
 * Records a response on its way to the client.
 *
 * @throws NotStored for a status that is not kept
 */
export async function recordResponse<R>(
  settings: HttpSettings<R>,
  response: Response,
  sinks: Sinks,
): Promise<StoredResponse> {
  if (!settings.storable(response.status)) {
    sinks.whole(mutable(response, response.body));
    throw new NotStored();
  }
  const head = { status: response.status, headers: keptHeaders(response.headers, settings.headers) };
  const recorder = recorderFor(settings, response.headers.get('content-type'));
  if (response.body) await recordBody(response, response.body.getReader(), recorder, sinks);
  else sinks.whole(mutable(response, null));
  return { ...head, body: await recorder.finish() };
}

/** A recorder with the limits for this type of content: of event streams that are not kept, not a byte is. */
export function recorderFor<R>(settings: HttpSettings<R>, contentType: string | null | undefined): Recorder {
  const events = isEventStream(contentType);
  if (events && settings.streams === 'status') return createRecorder(-1, undefined);
  return createRecorder(settings.maxStoredBytes, settings.spill);
}

/** Events are for now: they flow at once. */
export function isEventStream(contentType: string | null | undefined): boolean {
  return contentType?.trimStart().toLowerCase().startsWith('text/event-stream') ?? false;
}

/** A copy whose headers can be changed; those of a response from `fetch()` cannot. */
function mutable(response: Response, body: ReadableStream<Uint8Array> | Uint8Array | null): Response {
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

async function recordBody(response: Response, reader: Reader, recorder: Recorder, sinks: Sinks): Promise<void> {
  const begun: Uint8Array[] = [];
  let flows = isEventStream(response.headers.get('content-type'));
  while (!flows) {
    const { done, value } = await reader.read();
    if (done) return sinks.whole(mutable(response, Buffer.concat(begun)));
    begun.push(value);
    await recorder.add(value);
    flows = !recorder.fits;
  }
  await flow(response, reader, recorder, begun, sinks);
}

/**
 * Passes chunks on while recording them. The end waits until the recording is stored; where a Content-Length tells the client which byte
 * is the last, the last chunk waits too. A client that leaves does not stop the recording: its retry will want the result.
 */
async function flow(
  response: Response,
  reader: Reader,
  recorder: Recorder,
  begun: readonly Uint8Array[],
  sinks: Sinks,
): Promise<void> {
  const client = clientStream();
  sinks.flowing(mutable(response, client.stream));
  const holdBack = response.headers.has('content-length');
  let held: Uint8Array | undefined;
  const pass = async (chunk: Uint8Array): Promise<void> => {
    const next = holdBack ? held : chunk;
    held = chunk;
    if (next) await client.send(next);
  };
  try {
    for (const chunk of begun) await pass(chunk);
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      await recorder.add(step.value);
      await pass(step.value);
    }
  } catch (error) {
    client.fail(error);
    await recorder.abandon(error);
    throw error;
  }
  const last = holdBack ? held : undefined;
  sinks.stored.then(
    (stored) =>
      stored ? client.end(last) : client.fail(new Error('The response was not stored: ask again with the same key.')),
    (error: unknown) => client.fail(error),
  );
}

/** A stream that is pushed to at the client's pace, until the client leaves. */
function clientStream() {
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let wake = (): void => undefined;
  let left = false;
  const stream = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given;
    },
    pull: () => wake(),
    cancel() {
      left = true;
      wake();
    },
  });
  return {
    stream,
    async send(chunk: Uint8Array): Promise<void> {
      if (left) return;
      controller.enqueue(chunk);
      if ((controller.desiredSize ?? 0) > 0) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    },
    end(last: Uint8Array | undefined): void {
      if (left) return;
      if (last) controller.enqueue(last);
      controller.close();
    },
    fail(error: unknown): void {
      if (!left) controller.error(error);
    },
  };
}
