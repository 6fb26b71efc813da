import type { BudgetScopeOptions } from '@millrace/ratelimit';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { ModelCaller } from './gateway.ts';

/** The caps of the runs that are under way here. What was spent of them is in the books that all processes share. */
export interface Budgets {
  /** The scopes of the providers' budget policy. */
  readonly scopes: readonly BudgetScopeOptions[];
  /** Reads the caps of a caller. Call what it returns when the caller is gone. */
  admit(caller: ModelCaller): Promise<() => void>;
}

interface Caps {
  readonly run: number | undefined;
  readonly tenant: number | undefined;
}

/**
 * Caps per run and per tenant and calendar month. The budget policy holds the worst case of a call in shared books before
 * it is made, so the workers of a deployment together overspend nothing.
 */
export function createBudgets(db: Kysely<Database>): Budgets {
  const caps = new Map<string, Caps>();
  const scope = (
    name: 'run' | 'tenant',
    idOf: (ctx: { run?: string | undefined; tenant?: string | undefined }) => string | undefined,
  ): BudgetScopeOptions => ({
    name,
    of: (ctx) => (caps.get(ctx.run ?? '')?.[name] === undefined ? undefined : idOf(ctx)),
    cap: (ctx) => caps.get(ctx.run ?? '')?.[name] ?? 0,
    per: name === 'run' ? 'total' : 'month',
  });
  return {
    scopes: [scope('run', ({ run }) => run), scope('tenant', ({ tenant }) => tenant)],
    async admit({ runId }) {
      caps.set(runId, await readCaps(db, runId));
      return () => void caps.delete(runId);
    },
  };
}

async function readCaps(db: Kysely<Database>, runId: string): Promise<Caps> {
  const { rows } = await sql<{ readonly run: string | null; readonly tenant: string | null }>`
    SELECT runs.budget_microusd AS run, tenants.monthly_budget_microusd AS tenant
    FROM runs JOIN tenants ON tenants.id = runs.tenant_id WHERE runs.id = ${runId}
  `.execute(db);
  const cap = (value: string | null | undefined) => (value == null ? undefined : Number(value));
  return { run: cap(rows[0]?.run), tenant: cap(rows[0]?.tenant) };
}
