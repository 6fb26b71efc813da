import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { createLoop } from '../loop.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Relay } from '../relay/relay.ts';
import { isTerminal } from '../runs/states.ts';
import { type Cursor, formatCursor, isAhead } from './cursor.ts';
import { encodeNews, type Frame } from './frame.ts';
import { type RunNews, readNews } from './read.ts';

/** Where the events of one reader go. */
export interface EventSink {
  /** False when the reader should be given nothing more until {@link EventSource.resume}. */
  write(frame: Uint8Array): boolean;
  /** Nothing more comes here: the run has ended, or this process does. */
  end(): void;
  /** The reader must come again; it knows how far it came. */
  cut(): void;
}

/** One reader of one run. */
export interface EventSource {
  /** The reader has taken what it was given. */
  resume(): void;
  /** The reader is gone. */
  leave(): void;
}

/**
 * Tells readers everything that happens to runs, from the database, whichever process writes it. Readers of a run that
 * have come equally far share the reading and the bytes, and a reader that waits costs no query, timer or buffer of its own.
 */
export interface EventHub {
  follow(runId: string, after: Cursor, sink: EventSink): EventSource;
  /** How many readers there are. */
  readonly readers: number;
  /** Ends every stream: readers resume on another process. Afterwards the database is asked nothing more. */
  stop(): Promise<void>;
}

interface Reader {
  cursor: Cursor;
  /** It had everything that there was; what comes now is news. */
  live: boolean;
  /** Heartbeats in which it took nothing of what it had been given; 0 while it takes. */
  full: number;
  readonly sink: EventSink;
}

/** The readers of one run. Their reading is one line: a wish that comes while it is read is read again after. */
interface Audience {
  readonly runId: string;
  readonly readers: Set<Reader>;
  reading: boolean;
  again: boolean;
}

/** Told what happens to streams. */
export interface HubObserver {
  /** So many streams were ended by this process: their readers took nothing, or it ends itself. */
  dropped(reason: 'slow' | 'shutdown', count: number): void;
  /** Something was read here so many milliseconds after it was stored, for a reader that had all before it. */
  arrived(lag: number): void;
}

export interface EventHubOptions {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
  readonly relay: Relay;
  readonly pollInterval: number;
  /** Milliseconds between comments on a stream, by which proxies and clients see that it lives. @default 15_000 */
  readonly heartbeat?: number;
  readonly onError: (error: unknown) => void;
  /** @default nobody */
  readonly observer?: HubObserver;
}

/** A comment: no client sees it. */
const heartbeatFrame = Buffer.from(': still here\n\n');
/** A reader that took nothing for so many heartbeats is cut off. */
const patience = 2;

export function createEventHub(options: EventHubOptions): EventHub {
  const audiences = new Map<string, Audience>();
  const underWay = new Set<Promise<void>>();
  let readers = 0;

  const leave = (audience: Audience, reader: Reader): void => {
    if (!audience.readers.delete(reader)) return;
    readers -= 1;
    if (audience.readers.size === 0) audiences.delete(audience.runId);
  };
  const wake = (audience: Audience): void => {
    audience.again = true;
    if (audience.reading) return;
    audience.reading = true;
    const told = tellAll(options, audience, (reader) => leave(audience, reader))
      .catch(options.onError)
      .finally(() => {
        audience.reading = false;
        underWay.delete(told);
      });
    underWay.add(told);
  };
  const beatAll = (): void => {
    for (const audience of [...audiences.values()]) {
      for (const reader of stuckAfterBeat(audience)) {
        leave(audience, reader);
        reader.sink.cut();
        options.observer?.dropped('slow', 1);
      }
    }
  };
  const unsubscribe = options.relay.subscribe(['run', 'cancel'], ({ runId }) => {
    const audience = audiences.get(runId);
    if (audience) wake(audience);
  });
  const poll = createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    turn: () => findNews(options.db, audiences, wake),
  });
  const heart = setInterval(beatAll, options.heartbeat ?? 15_000);
  heart.unref();

  return {
    follow(runId, after, sink) {
      const audience = audiences.get(runId) ?? { runId, readers: new Set(), reading: false, again: false };
      const reader: Reader = { cursor: after, live: false, full: 0, sink };
      audiences.set(runId, audience);
      audience.readers.add(reader);
      readers += 1;
      wake(audience);
      return {
        leave: () => leave(audience, reader),
        resume() {
          reader.full = 0;
          wake(audience);
        },
      };
    },
    get readers() {
      return readers;
    },
    async stop() {
      unsubscribe();
      clearInterval(heart);
      await poll.stop();
      if (readers > 0) options.observer?.dropped('shutdown', readers);
      for (const audience of [...audiences.values()]) {
        for (const reader of [...audience.readers]) {
          leave(audience, reader);
          reader.sink.end();
        }
      }
      await Promise.all(underWay);
    },
  };
}

/** Tells every reader that can take it what is new, until nothing is. */
async function tellAll(
  { db, objects, observer }: EventHubOptions,
  audience: Audience,
  leave: (reader: Reader) => void,
): Promise<void> {
  while (audience.again) {
    audience.again = false;
    for (const group of equallyFar(audience.readers)) {
      const after = group[0]?.cursor;
      if (!after) continue;
      const news = await readNews({ db, objects }, audience.runId, after);
      const [first] = news;
      if (first === undefined) {
        for (const reader of group) reader.live = true;
        continue;
      }
      if (group[0]?.live) observer?.arrived(Date.now() - storedAt(first).getTime());
      const frames = encodeNews(news);
      audience.again = true;
      for (const reader of group) if (audience.readers.has(reader) && tell(reader, frames)) leave(reader);
    }
  }
}

function storedAt(news: RunNews): Date {
  return news.kind === 'state' ? news.event.created_at : news.chunk.storedAt;
}

/** True when the run has ended and the reader was told all of it. */
function tell(reader: Reader, frames: readonly Frame[]): boolean {
  for (const { bytes, cursor, state } of frames) {
    const takesMore = reader.sink.write(bytes);
    reader.cursor = cursor;
    if (state !== undefined && isTerminal(state)) {
      reader.sink.end();
      return true;
    }
    if (takesMore) continue;
    reader.full = 1;
    return false;
  }
  return false;
}

function equallyFar(readers: ReadonlySet<Reader>): readonly (readonly Reader[])[] {
  const groups = new Map<string, Reader[]>();
  for (const reader of readers) {
    if (reader.full > 0) continue;
    const key = formatCursor(reader.cursor);
    const group = groups.get(key);
    if (group) group.push(reader);
    else groups.set(key, [reader]);
  }
  return [...groups.values()];
}

/** A reader that is full gets no heartbeat; it is counted instead, and answered here when its time is over. */
function stuckAfterBeat(audience: Audience): Reader[] {
  const stuck: Reader[] = [];
  for (const reader of audience.readers) {
    if (reader.full === 0) reader.sink.write(heartbeatFrame);
    else if (reader.full > patience) stuck.push(reader);
    else reader.full += 1;
  }
  return stuck;
}

/** What every hint was lost of is found here, by one query however many runs are followed. */
async function findNews(
  db: Kysely<Database>,
  audiences: ReadonlyMap<string, Audience>,
  wake: (audience: Audience) => void,
): Promise<void> {
  if (audiences.size === 0) return;
  for (const [runId, position] of await readPositions(db, [...audiences.keys()])) {
    const audience = audiences.get(runId);
    const behind = [...(audience?.readers ?? [])].some(({ cursor, full }) => full === 0 && isAhead(position, cursor));
    if (audience && behind) wake(audience);
  }
}

async function readPositions(db: Kysely<Database>, runIds: readonly string[]): Promise<Map<string, Cursor>> {
  const { rows } = await sql<{ id: string; event: number; line: number }>`
    SELECT id, event_seq AS event, coalesce((
      SELECT seq_to FROM log_chunks WHERE run_id = runs.id ORDER BY seq_from DESC LIMIT 1
    ), 0) AS line
    FROM runs WHERE id = ANY(${runIds}::uuid[])
  `.execute(db);
  return new Map(rows.map(({ id, event, line }) => [id, { event, line }]));
}
