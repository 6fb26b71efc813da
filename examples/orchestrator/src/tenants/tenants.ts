import { CompiledQuery, type Kysely, type Selectable, sql } from 'kysely';
import { prepared } from '../db/prepared.ts';
import type { Database, TenantsTable } from '../db/schema.ts';
import type { RunQueue } from '../runs/queue.ts';

/** What a tenant may use; `null` means no bound. */
export interface TenantSettings {
  /** Share of the workers relative to other tenants. */
  readonly weight: number;
  readonly maxConcurrency: number | null;
  readonly maxQueued: number | null;
  readonly monthlyBudgetMicroUsd: number | null;
  /** Addresses that its runs may use, and all below them. */
  readonly repos: readonly string[] | null;
}

export type TenantRow = Selectable<TenantsTable>;

/** Creates a tenant or changes what it may use, in the database and in the queue. */
export async function putTenant(
  db: Kysely<Database>,
  queue: RunQueue,
  id: string,
  settings: TenantSettings,
): Promise<TenantRow> {
  const values = {
    weight: settings.weight,
    max_concurrency: settings.maxConcurrency,
    max_queued: settings.maxQueued,
    monthly_budget_microusd: settings.monthlyBudgetMicroUsd,
    repos: settings.repos && [...settings.repos],
  };
  const row = await db
    .insertInto('tenants')
    .values({ id, ...values })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
    .returningAll()
    .executeTakeFirstOrThrow();
  await queue.limits.setTenant(id, { weight: settings.weight, maxLeased: settings.maxConcurrency });
  return row;
}

const byId = `
  SELECT id, weight, max_concurrency, max_queued, monthly_budget_microusd, repos, created_at
  FROM tenants WHERE id = $1 ${prepared}`;

export async function getTenant(db: Kysely<Database>, id: string): Promise<TenantRow | undefined> {
  const { rows } = await db.executeQuery<TenantRow>(CompiledQuery.raw(byId, [id]));
  return rows[0];
}

/** What a tenant has used since the beginning of the month (UTC), and what it has under way. */
export interface TenantUsage {
  readonly since: Date;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicroUsd: number;
  readonly runs: Readonly<Record<string, number>>;
}

export async function usageOf(db: Kysely<Database>, tenantId: string): Promise<TenantUsage> {
  const { since } = (await sql<{ since: Date }>`SELECT date_trunc('month', now(), 'UTC') AS since`.execute(db))
    .rows[0] as {
    since: Date;
  };
  const used = await db
    .selectFrom('usage_ledger')
    .select([
      sql<string>`coalesce(sum(input_tokens), 0)`.as('input'),
      sql<string>`coalesce(sum(output_tokens), 0)`.as('output'),
      sql<string>`coalesce(sum(cost_microusd), 0)`.as('cost'),
    ])
    .where('tenant_id', '=', tenantId)
    .where('created_at', '>=', since)
    .executeTakeFirstOrThrow();
  const states = await db
    .selectFrom('runs')
    .select(['state', sql<string>`count(*)`.as('count')])
    .where('tenant_id', '=', tenantId)
    .where('created_at', '>=', since)
    .groupBy('state')
    .execute();
  return {
    since,
    inputTokens: Number(used.input),
    outputTokens: Number(used.output),
    costMicroUsd: Number(used.cost),
    runs: Object.fromEntries(states.map(({ state, count }) => [state, Number(count)])),
  };
}
