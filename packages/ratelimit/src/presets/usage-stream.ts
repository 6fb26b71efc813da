import type { Cost } from '../policy.ts';
import { parseJson } from './preset.ts';

/** Longest line that is looked at for usage; longer ones (images, files) pass unread. */
const maxLine = 1 << 20;

/**
 * Passes a stream of server-sent events through unchanged and reads the usage on its way.
 * `onEnd` is called once, with what was seen, when the stream ends, fails or is cancelled, or when the caller aborts
 * (nobody may be reading then).
 */
export function watchUsage(
  body: ReadableStream<Uint8Array>,
  usage: (data: unknown) => Cost | undefined,
  onEnd: (usage: Cost | undefined) => void,
  signal?: AbortSignal,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const lines = new EventLines((data) => {
    const found = usage(parseJson(data));
    if (found !== undefined) seen = { ...seen, ...found };
  });
  let seen: Cost | undefined;
  let ended = false;
  const end = (): void => {
    if (!ended) onEnd(seen);
    ended = true;
    signal?.removeEventListener('abort', end);
  };
  signal?.addEventListener('abort', end, { once: true });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          lines.flush();
          end();
          controller.close();
        } else {
          lines.push(value);
          controller.enqueue(value);
        }
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
}

/** Finds the `data:` lines that mention usage. */
class EventLines {
  readonly #onData: (data: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  push(bytes: Uint8Array): void {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > maxLine) this.#rest = '';
    for (const line of lines) this.#look(line);
  }

  flush(): void {
    this.#look(this.#rest);
  }

  #look(line: string): void {
    if (line.startsWith('data:') && line.includes('sage')) this.#onData(line.slice(5));
  }
}
