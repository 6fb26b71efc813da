import type { CallContext, Cost } from '../policy.ts';
import { parseJson } from './preset.ts';
import { watchUsage } from './usage-stream.ts';

/** Headers that fit a body which is decoded already. */
export function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  copy.delete('content-encoding');
  copy.delete('content-length');
  return copy;
}

/**
 * Hands an answer on, and calls `end` once with the usage that it reports: at once where the body is complete, at its end where it is streamed,
 * or when the caller aborts and nobody will read it to its end.
 */
export async function finish(
  response: Response,
  usage: (data: unknown) => Cost | undefined,
  end: (usage: Cost | undefined) => void,
  caller: Pick<CallContext, 'abortable' | 'signal'>,
): Promise<Response> {
  const type = response.headers.get('content-type') ?? '';
  const { status, statusText } = response;
  if (type.includes('event-stream') && response.body !== null) {
    const body = watchUsage(response.body, usage, end, caller.abortable ? caller.signal : undefined);
    return new Response(body, { status, statusText, headers: plain(response.headers) });
  }
  if (!type.includes('json')) {
    end(undefined);
    return response;
  }
  const text = await response.text();
  end(usage(parseJson(text)));
  return new Response(text, { status, statusText, headers: plain(response.headers) });
}
