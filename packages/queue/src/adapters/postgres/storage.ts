import type { Clock } from '../../clock.ts';
import type {
  ControlAnswer,
  ControlInput,
  ControlOperation,
  EnqueueAnswer,
  EnqueueRequest,
  ExchangeAnswer,
  ExchangeRequest,
  NewJob,
  QueueStorage,
} from '../../contract/index.ts';
import { QueueClosedError } from '../../errors.ts';
import { hintsOfControl } from '../engine/index.ts';
import type { SqlClient } from './client.ts';
import { control, lookingOn } from './control.ts';
import { enqueueAnswers, enqueueArguments, enqueueChunk, lockedArguments } from './enqueue.ts';
import { exchangeAnswer, exchangeArguments } from './exchange.ts';
import type { Hints } from './hints.ts';
import { createResettler } from './resettle.ts';
import { type Statements, transactionClient } from './statements.ts';
import { isUnopened, toStoreError } from './store-errors.ts';

/** What a storage works with. */
export interface StorageParts {
  readonly queue: string;
  readonly client: SqlClient;
  readonly clock: Clock;
  readonly statements: Statements;
  readonly hints: Hints;
  /** Number of the queue in this database. */
  readonly number: () => number;
  /** Creates what is missing, and finds the number again. */
  readonly create: () => Promise<void>;
  readonly keepAlive: QueueStorage['keepAlive'];
}

/** One queue. Every call is one statement, and so one round trip and one commit; no connection keeps a state between two of them. */
export function openStorage(parts: StorageParts): QueueStorage {
  const { queue, client, statements, hints } = parts;
  const resettler = createResettler(parts.clock);
  let closed = false;

  async function attempt<T>(text: string, values: unknown[], over: SqlClient): Promise<T> {
    const { rows } = await over.query(text, [parts.number(), ...values]);
    return rows[0] as T;
  }

  async function run<T>(text: string, values: unknown[]): Promise<T> {
    if (closed) throw new QueueClosedError(queue);
    try {
      return await attempt<T>(text, values, client);
    } catch (error) {
      if (!isUnopened(error)) throw toStoreError(error);
    }
    await parts.create();
    return attempt<T>(text, values, client).catch((error: unknown) => {
      throw toStoreError(error);
    });
  }

  interface Enqueued {
    readonly answers: string | null;
    readonly hungry: boolean;
  }

  async function enqueueSome(jobs: readonly NewJob[], atomic: boolean): Promise<EnqueueAnswer[]> {
    const { answers, hungry } = await run<Enqueued>(statements.enqueue, [...enqueueArguments(jobs), atomic]);
    if (hungry) hints.tell('ready');
    return enqueueAnswers(jobs, answers);
  }

  /** Errors of the caller's transaction are the caller's: it must roll back. */
  async function enqueueInside(
    jobs: readonly NewJob[],
    atomic: boolean,
    transaction: unknown,
  ): Promise<EnqueueAnswer[]> {
    if (closed) throw new QueueClosedError(queue);
    const over = transactionClient(transaction);
    const { answers } = await attempt<Enqueued>(statements.enqueueInside, [...enqueueArguments(jobs), atomic], over);
    return enqueueAnswers(jobs, answers);
  }

  async function enqueue({ jobs, atomic = false, transaction }: EnqueueRequest): Promise<readonly EnqueueAnswer[]> {
    if (jobs.length === 0) return [];
    if (transaction !== undefined) return enqueueInside(jobs, atomic, transaction);
    const parcels = atomic ? [jobs] : chunks(jobs, enqueueChunk);
    return (await Promise.all(parcels.map((some) => enqueueSome(some, atomic)))).flat();
  }

  async function exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    const sent = resettler.before(request);
    const { answer: text } = await run<{ readonly answer: string }>(statements.exchange, exchangeArguments(sent));
    const { answer, epoch, ready, finished } = exchangeAnswer(sent, text);
    if (ready || request.end) hints.tell('ready');
    if (finished) hints.tell('finished');
    return resettler.after(request, sent, answer, epoch);
  }

  async function fireSchedule({ jobs, ...move }: ControlInput<'fireSchedule'>): Promise<boolean> {
    const values = [...lockedArguments(jobs), JSON.stringify({ nextAt: null, ...move })];
    const { answers } = await run<Enqueued>(statements.fireSchedule, values);
    if (answers === 'false') return false;
    hints.tell('ready');
    return true;
  }

  const runControl = {
    change: async (operation: string, input: object): Promise<unknown> =>
      parsed(await run(statements.change, [operation, JSON.stringify(input)])),
    look: async (operation: string, input: object): Promise<unknown> =>
      parsed(await run(statements.look, [operation, JSON.stringify(input)])),
  };

  async function carryOut<Op extends ControlOperation>(
    operation: Op,
    input: ControlInput<Op>,
  ): Promise<ControlAnswer<Op>> {
    if (operation === 'fireSchedule') {
      return (await fireSchedule(input as ControlInput<'fireSchedule'>)) as ControlAnswer<Op>;
    }
    const answer = await control(
      runControl,
      operation as Exclude<Op, 'fireSchedule'>,
      input as ControlInput<Exclude<Op, 'fireSchedule'>>,
    );
    if (!lookingOn.has(operation)) for (const hint of hintsOfControl(operation)) hints.tell(hint);
    return answer as ControlAnswer<Op>;
  }

  return {
    enqueue,
    exchange,
    control: carryOut,
    // The server works on the one while this process runs the jobs of the other.
    exchangesAtOnce: 2,
    jobsPerCall: enqueueChunk,
    watch: hints.watch,
    ...(parts.keepAlive !== undefined && { keepAlive: parts.keepAlive }),
    close: async () => {
      closed = true;
      hints.close();
    },
  };
}

function parsed({ answer }: { readonly answer: string | null }): unknown {
  return answer === null ? null : JSON.parse(answer);
}

function chunks<T>(items: readonly T[], size: number): (readonly T[])[] {
  if (items.length <= size) return [items];
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
