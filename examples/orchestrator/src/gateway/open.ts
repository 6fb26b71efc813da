import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { bookUsage } from './ledger.ts';

/** The gateway of this process, with the accounts of its configuration. */
export function openGateway(
  config: Config,
  db: Kysely<Database>,
  url: () => string,
  onError: (error: unknown) => void,
): Gateway {
  return createGateway({
    url,
    accounts: config.providerAccounts,
    fetch: (request) => fetch(request),
    onUsage: (caller, model, usage) => void bookUsage(db, caller, model, usage, 0).catch(onError),
    endsAccess: (error) => (error as { code?: unknown } | null)?.code === 'ERR_BUDGET_EXCEEDED',
  });
}
