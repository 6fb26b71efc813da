import type { EnqueueAnswer, EnqueueRequest, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { checkSchema } from './options.ts';
import { inSchema } from './sql/index.ts';
import { transactionClient } from './statements.ts';

/** Options of {@link outboxAdapter}. */
export interface OutboxOptions {
  /** Where the jobs go in the end, such as a `redisAdapter()`. */
  readonly to: QueueAdapter;
  /** Schema of the outbox, made by `migrate()`. @default 'millrace' */
  readonly schema?: string;
}

/**
 * The adapter `to`, and beside it `enqueue(…, { tx })`: such a job is written into your PostgreSQL transaction, and {@link relayOutbox} moves it to
 * `to` after the commit. It is then accepted: marks and dedupe keys of the queue are looked at when it arrives.
 *
 * @example
 * const queue = createQueue({ adapter: outboxAdapter({ to: redisAdapter({ url }) }), jobs: [sendMail] });
 * await queue.enqueue('send-mail', mail, { tx: client });
 *
 * @throws InvalidOptionError
 */
export function outboxAdapter({ to, schema = 'millrace' }: OutboxOptions): QueueAdapter {
  checkSchema(schema);
  const statement = inSchema(
    'INSERT INTO mr.outbox (queue, jobs, atomic) VALUES ($1::text, $2::text::jsonb, $3::boolean)',
    schema,
  );

  async function write(queue: string, request: EnqueueRequest): Promise<EnqueueAnswer[]> {
    const { jobs, atomic = false, transaction } = request;
    await transactionClient(transaction).query(statement, [queue, JSON.stringify(jobs), atomic]);
    return jobs.map(({ id }) => ({ status: 'accepted', id }));
  }

  async function open(context: Parameters<QueueAdapter['open']>[0]): Promise<QueueStorage> {
    const storage = await to.open(context);
    const enqueue = (request: EnqueueRequest): Promise<readonly EnqueueAnswer[]> =>
      request.transaction === undefined ? storage.enqueue(request) : write(context.queue, request);
    return { ...storage, enqueue };
  }

  return { ...to, capabilities: { ...to.capabilities, transactions: true }, open };
}
