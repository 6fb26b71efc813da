import type { BudgetScopeOptions } from '@millrace/ratelimit';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { ModelCaller } from './gateway.ts';

/** What runs and tenants may still spend, as this process's books see it. */
export interface Budgets {
  /** The scopes of the providers' budget policy. */
  readonly scopes: readonly BudgetScopeOptions[];
  /** Reads the caps of a caller and what other processes have spent of them. */
  refresh(caller: ModelCaller): Promise<void>;
  /** Notes what a call of this process cost. */
  spent(caller: ModelCaller, cost: number): void;
}

interface Cap {
  /** The cap without what others had spent when it was read. */
  own: number;
  spent: number;
}

/**
 * Caps per run and per tenant and month. Within a process the budget policy holds money before each call, so nothing is
 * overspent; what other workers spend is taken from the ledger whenever a run begins here.
 */
export function createBudgets(db: Kysely<Database>): Budgets {
  const runs = new Map<string, Cap>();
  const tenants = new Map<string, Cap>();
  const capOf = (caps: Map<string, Cap>, id: string | undefined): number => caps.get(id ?? '')?.own ?? 0;
  const idIn = (caps: Map<string, Cap>, id: string | undefined) => (id && caps.has(id) ? id : undefined);
  const note = (caps: Map<string, Cap>, id: string, limit: string | null, total: number): void => {
    const { spent } = caps.get(id) ?? { spent: 0 };
    if (limit === null) caps.delete(id);
    else caps.set(id, { own: Number(limit) - (total - spent), spent });
  };
  return {
    scopes: [
      { name: 'run', of: ({ run }) => idIn(runs, run), cap: ({ run }) => capOf(runs, run) },
      {
        name: 'tenant',
        of: ({ tenant }) => idIn(tenants, tenant),
        cap: (ctx) => capOf(tenants, ctx.tenant),
        per: 'month',
      },
    ],
    async refresh({ runId, tenantId }) {
      const row = await readCaps(db, runId, tenantId);
      note(runs, runId, row.run_limit, Number(row.run_spent));
      note(tenants, tenantId, row.tenant_limit, Number(row.tenant_spent));
    },
    spent({ runId, tenantId }, cost) {
      for (const cap of [runs.get(runId), tenants.get(tenantId)]) if (cap) cap.spent += cost;
    },
  };
}

interface Caps {
  readonly run_limit: string | null;
  readonly run_spent: string;
  readonly tenant_limit: string | null;
  readonly tenant_spent: string;
}

async function readCaps(db: Kysely<Database>, runId: string, tenantId: string): Promise<Caps> {
  const { rows } = await sql<Caps>`
    SELECT runs.budget_microusd AS run_limit, runs.cost_microusd AS run_spent,
      tenants.monthly_budget_microusd AS tenant_limit, coalesce((
        SELECT sum(cost_microusd) FROM usage_ledger
        WHERE tenant_id = ${tenantId} AND created_at >= date_trunc('month', now(), 'UTC')
      ), 0) AS tenant_spent
    FROM runs JOIN tenants ON tenants.id = runs.tenant_id WHERE runs.id = ${runId}
  `.execute(db);
  return rows[0] ?? { run_limit: null, run_spent: '0', tenant_limit: null, tenant_spent: '0' };
}
