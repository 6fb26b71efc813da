import { parseJson } from './preset.ts';
import { type StreamWatch, watchUsage } from './usage-stream.ts';

/** Headers that fit a body which is decoded already. */
export function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  copy.delete('content-encoding');
  copy.delete('content-length');
  return copy;
}

/**
 * Hands an answer on, and calls `watch.end` once with the usage that it reports: at once where the body is complete, and where it is streamed as
 * {@link watchUsage} says.
 */
export async function finish(response: Response, watch: StreamWatch): Promise<Response> {
  const type = response.headers.get('content-type') ?? '';
  const { status, statusText } = response;
  const head = { status, statusText, headers: plain(response.headers) };
  if (type.includes('event-stream') && response.body !== null) {
    return new Response(watchUsage(response.body, watch), head);
  }
  if (!type.includes('json')) {
    watch.end(undefined);
    return response;
  }
  const text = await response.text();
  watch.end(watch.usage(parseJson(text)));
  return new Response(text, head);
}
