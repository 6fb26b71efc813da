import { StaleLeaseError } from '../../errors.ts';
import type { HandlerContext } from '../../handler.ts';
import { checkSchema } from './options.ts';
import { inSchema } from './sql/index.ts';
import { transactionClient } from './statements.ts';

/** Options of {@link completeInTransaction}. */
export interface CompleteOptions {
  /** Name of the queue. @default 'default' */
  readonly queue?: string;
  /** Schema of its tables. @default 'millrace' */
  readonly schema?: string;
  /** Result of the job, encoded as the queue's codec would (JSON, unless you gave another); kept if `keepResult` says so. */
  readonly result?: string;
}

/**
 * Acknowledges the job inside your transaction: it is done if and only if the transaction commits, together with what the handler wrote.
 * The handler then returns as usual, after the commit; what it returns is ignored. When it fails after the commit, the job is done all the same.
 *
 * @param tx - what runs statements in the transaction: `query(text, values)`
 * @throws StaleLeaseError when the lease is over: roll back, another worker may have the job
 */
export async function completeInTransaction(
  tx: unknown,
  { jobId, fence }: Pick<HandlerContext, 'jobId' | 'fence'>,
  options: CompleteOptions = {},
): Promise<void> {
  const { queue = 'default', schema = 'millrace', result = null } = options;
  checkSchema(schema);
  const statement = inSchema('SELECT fn.complete($1::text, $2::text, $3::bigint, $4::text) AS completed', schema);
  const { rows } = await transactionClient(tx).query(statement, [queue, jobId, fence, result]);
  if (!(rows[0] as { readonly completed: boolean }).completed) throw new StaleLeaseError(jobId, fence);
}
