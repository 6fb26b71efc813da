import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { newId } from '../ids.ts';
import type { ModelCaller } from './gateway.ts';
import type { Usage } from './providers.ts';

/** What a call cost, in millionths of a US dollar. */
export type PriceOfCall = (model: string, usage: Usage) => number;

/** Books a call of a model to its run and tenant. */
export async function bookUsage(
  db: Kysely<Database>,
  caller: ModelCaller,
  model: string,
  usage: Usage,
  cost: number,
): Promise<void> {
  const { inputTokens, outputTokens } = usage;
  await db.transaction().execute(async (tx) => {
    await tx
      .insertInto('usage_ledger')
      .values({
        id: newId(),
        tenant_id: caller.tenantId,
        run_id: caller.runId,
        provider: caller.provider,
        model,
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        cost_microusd: cost,
      })
      .execute();
    await sql`
      UPDATE runs SET input_tokens = input_tokens + ${inputTokens}, output_tokens = output_tokens + ${outputTokens},
        cost_microusd = cost_microusd + ${cost}
      WHERE id = ${caller.runId}
    `.execute(tx);
  });
}
