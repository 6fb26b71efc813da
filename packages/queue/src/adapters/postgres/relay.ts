import { type Clock, sleep, systemClock } from '../../clock.ts';
import type { NewJob, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { type Duration, toMilliseconds } from '../../duration.ts';
import { type SqlClient, type SqlPool, withConnection } from './client.ts';
import { checkSchema } from './options.ts';
import { inSchema } from './sql/index.ts';

/** Options of {@link relayOutbox}. */
export interface RelayOptions {
  /** The database with the outbox: a pool that lends connections. */
  readonly pool: SqlPool & Required<Pick<SqlPool, 'connect'>>;
  /** Where the jobs go: the adapter that `outboxAdapter()` was given. It stays yours to close. */
  readonly to: QueueAdapter;
  /** @default 'millrace' */
  readonly schema?: string;
  /** Longest time between two looks at an empty outbox. @default '200ms' */
  readonly interval?: Duration;
  /** Called for each round that failed; it is tried again after a pause. @default nothing */
  readonly onError?: (error: unknown) => void;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** A relay at work. */
export interface Relay extends AsyncDisposable {
  /** Jobs moved so far. */
  readonly moved: number;
  /** Why the last round failed; undefined when it did not. */
  readonly lastError: Error | undefined;
  /** Finishes the round under way. */
  stop(): Promise<void>;
}

/** Most jobs in one round. */
const roundSize = 500;

/** Longest pause after failures, in milliseconds. */
const longestPause = 5_000;

interface Row {
  readonly n: string;
  readonly queue: string;
  readonly jobs: readonly NewJob[];
  readonly atomic: boolean;
}

/**
 * Moves jobs from the outbox to another store, in the order in which they were written. A row is deleted in the transaction that read it, after the store
 * has accepted the job under the id that it was given in the outbox: whatever dies at whatever moment, each committed job arrives, and one that is
 * delivered twice is known by its id. Several relays may run; each takes other rows.
 *
 * @throws InvalidOptionError
 */
export function relayOutbox(options: RelayOptions): Relay {
  const { pool, to, schema = 'millrace', onError, clock = systemClock } = options;
  checkSchema(schema);
  const interval = toMilliseconds(options.interval ?? '200ms', 'interval');
  const storages = new Map<string, Promise<QueueStorage>>();
  const stopping = new AbortController();
  let moved = 0;
  let failures = 0;
  let lastError: Error | undefined;

  function storageOf(queue: string): Promise<QueueStorage> {
    const known = storages.get(queue);
    if (known !== undefined) return known;
    const opening = to.open({ queue, clock, random: Math.random });
    storages.set(queue, opening);
    opening.catch(() => storages.delete(queue));
    return opening;
  }

  /** One transaction. Answers whether there may be more to move at once. */
  async function round(): Promise<boolean> {
    const accepted = await withConnection(pool, async (client) => {
      await client.query('BEGIN');
      const some = await moveSome(client);
      await client.query('COMMIT');
      return some;
    });
    moved += accepted.moved;
    return accepted.moved > 0 && accepted.moved === accepted.seen;
  }

  async function moveSome(client: SqlClient): Promise<{ readonly seen: number; readonly moved: number }> {
    const { rows } = await client.query(
      inSchema('SELECT n, queue, jobs, atomic FROM mr.outbox ORDER BY n LIMIT $1 FOR UPDATE SKIP LOCKED', schema),
      [roundSize],
    );
    const done: string[] = [];
    for (const [queue, some] of byQueue(rows as Row[])) done.push(...(await deliver(queue, some)));
    if (done.length > 0) {
      await client.query(inSchema('DELETE FROM mr.outbox WHERE n = ANY ($1::text::bigint[])', schema), [
        `{${done.join(',')}}`,
      ]);
    }
    return { seen: rows.length, moved: done.length };
  }

  /** Answers the rows whose jobs were accepted; the others wait for room. */
  async function deliver(queue: string, rows: readonly Row[]): Promise<string[]> {
    const storage = await storageOf(queue);
    const done: string[] = [];
    for (const request of requestsOf(rows)) {
      const answers = await storage.enqueue({
        jobs: request.flatMap(({ jobs }) => jobs),
        atomic: request[0]?.atomic === true,
      });
      let first = 0;
      for (const { n, jobs } of request) {
        if (answers.slice(first, first + jobs.length).every(({ status }) => status !== 'rejected')) done.push(n);
        first += jobs.length;
      }
    }
    return done;
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      const again = await round().then(succeeded, failed);
      if (again) continue;
      await sleep(
        clock,
        failures === 0 ? interval : Math.min(longestPause, interval * 2 ** failures),
        stopping.signal,
      ).catch(() => undefined);
    }
  }

  function succeeded(again: boolean): boolean {
    failures = 0;
    lastError = undefined;
    return again;
  }

  function failed(error: unknown): boolean {
    failures = Math.min(failures + 1, 10);
    lastError = error instanceof Error ? error : new Error(String(error));
    onError?.(error);
    return false;
  }

  const working = loop();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await working;
    for (const storage of storages.values()) await (await storage.catch(() => undefined))?.close();
  };
  return {
    get moved() {
      return moved;
    },
    get lastError() {
      return lastError;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function byQueue(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.queue, [...(groups.get(row.queue) ?? []), row]);
  return groups;
}

/** What is atomic goes alone, what is not goes together, in order. */
function requestsOf(rows: readonly Row[]): Row[][] {
  const requests: Row[][] = [];
  for (const row of rows) {
    const last = requests.at(-1);
    if (last === undefined || row.atomic || last[0]?.atomic) requests.push([row]);
    else last.push(row);
  }
  return requests;
}
