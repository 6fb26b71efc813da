import { RateLimitError } from '../errors.ts';

/** A streamed answer that nobody read for too long was cancelled: its connection, its place and its money are free again. */
export class StreamAbandonedError extends RateLimitError {
  readonly code = 'ERR_STREAM_ABANDONED' as const;
  override readonly name = 'StreamAbandonedError' as const;

  constructor(unreadMs: number) {
    super(
      `The streamed answer was not read for ${unreadMs} ms, so it was cancelled: read it to its end, cancel it, or allow a longer \`abandonAfter\`.`,
    );
  }
}
