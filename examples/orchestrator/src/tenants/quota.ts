import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import type { TenantRow } from './tenants.ts';

/**
 * Whether a tenant may have more runs wait. Call it in the transaction that stores the run: requests of one tenant are
 * counted one after the other, so that many at once cannot pass together. A tenant without a bound is not counted.
 */
export async function hasRoom(tx: Kysely<Database>, tenant: TenantRow | undefined, wanted: number): Promise<boolean> {
  if (!tenant || tenant.max_queued === null) return true;
  const { id: tenantId, max_queued: limit } = tenant;
  await sql`SELECT pg_advisory_xact_lock(hashtext(${`millrace quota ${tenantId}`}))`.execute(tx);
  const { rows } = await sql<{ waiting: string }>`
    SELECT count(*) AS waiting FROM (
      SELECT FROM runs WHERE tenant_id = ${tenantId} AND state = 'queued' LIMIT ${limit}
    ) AS queued
  `.execute(tx);
  return Number(rows[0]?.waiting ?? 0) + wanted <= limit;
}
