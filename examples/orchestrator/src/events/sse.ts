import type { ServerResponse } from 'node:http';
import type { Cursor } from './cursor.ts';
import type { EventHub, EventSource } from './hub.ts';

/** Milliseconds a client waits before it connects again. */
const reconnectDelay = 1000;
/** Bytes that may wait in this process for one client; its backlog beyond them stays in the database. */
const bufferLimit = 64 * 1024;

export interface FollowOptions {
  readonly hub: EventHub;
  readonly runId: string;
  readonly after: Cursor;
  /** Called once, however the stream ends. */
  readonly onEnd: () => void;
}

/**
 * Answers with everything that happens to a run after a cursor, until the run has ended and all of it was told. It writes
 * to the connection itself: a web stream with its promises and controllers would cost several times the memory of a
 * client that only waits.
 */
export function streamEvents(response: ServerResponse, { hub, runId, after, onEnd }: FollowOptions): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.write(`retry: ${reconnectDelay}\n\n`);
  // The framework's listener would abort its request, and keeps that with all its headers for as long as the client stays.
  response.removeAllListeners('close');
  let source: EventSource | undefined;
  response.once('close', () => {
    source?.leave();
    onEnd();
  });
  response.on('error', () => response.destroy());
  response.on('drain', () => source?.resume());
  source = hub.follow(runId, after, {
    write(frame) {
      response.write(frame);
      return response.writableLength <= bufferLimit;
    },
    end: () => void response.end(),
    cut: () => void response.destroy(),
  });
}
