import type { Clock } from '../clock.ts';
import type { CallContext, Cost } from '../policy.ts';
import { parseJson } from './preset.ts';
import { StreamAbandonedError } from './stream-abandoned-error.ts';

/** Longest line that is looked at for usage; longer ones (images, files) pass unread. */
const maxLine = 1 << 20;

/** What is done about a stream while it passes. */
export interface StreamWatch {
  /** Reads the usage in one event. */
  readonly usage: (data: unknown) => Cost | undefined;
  /** Called once, with what was seen, when nothing more will be. */
  readonly end: (usage: Cost | undefined) => void;
  readonly caller: Pick<CallContext, 'abortable' | 'signal'>;
  readonly clock: Clock;
  /** Milliseconds without a read after which nobody will read any more. */
  readonly abandonedAfter: number;
}

/**
 * Passes a stream of server-sent events through unchanged and reads the usage on its way. It ends with the stream: when that is read to its end, fails,
 * is cancelled, when the caller aborts (nobody may be reading then), or when nobody has read for too long. The provider's own silence has no bound here.
 */
export function watchUsage(body: ReadableStream<Uint8Array>, watch: StreamWatch): ReadableStream<Uint8Array> {
  const { clock, caller, abandonedAfter } = watch;
  const reader = body.getReader();
  const signal = caller.abortable ? caller.signal : undefined;
  let seen: Cost | undefined;
  let ended = false;
  let timer: unknown;
  const lines = new EventLines((data) => {
    const found = watch.usage(parseJson(data));
    if (found !== undefined) seen = { ...seen, ...found };
  });
  const end = (): void => {
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', end);
    if (!ended) watch.end(seen);
    ended = true;
  };
  signal?.addEventListener('abort', end, { once: true });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clock.clearTimeout(timer);
      try {
        const { done, value } = await reader.read();
        if (done) {
          lines.flush();
          end();
          controller.close();
        } else {
          lines.push(value);
          controller.enqueue(value);
          if (!ended) timer = clock.setTimeout(() => abandon(controller), abandonedAfter);
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

  function abandon(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const error = new StreamAbandonedError(abandonedAfter);
    end();
    controller.error(error);
    reader.cancel(error).catch(() => {});
  }
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
