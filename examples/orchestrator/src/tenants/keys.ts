import { createHash, randomBytes } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../db/schema.ts';
import { newId } from '../ids.ts';
import type { Principal, Scope } from './principal.ts';

/** A key as it may be shown: without the key. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** Makes a key; its text is known only now. */
export async function createKey(
  db: Kysely<Database>,
  key: { readonly tenantId: string; readonly name: string; readonly scopes: readonly Scope[] },
): Promise<{ readonly id: string; readonly key: string }> {
  const text = `mk_${randomBytes(32).toString('base64url')}`;
  const id = newId();
  const { tenantId, name } = key;
  await db
    .insertInto('api_keys')
    .values({ id, tenant_id: tenantId, name, digest: keyDigest(text), scopes: [...key.scopes] })
    .execute();
  return { id, key: text };
}

/** Whom a key stands for; `undefined` for one that is unknown or revoked. */
export async function principalOf(db: Kysely<Database>, key: string): Promise<Principal | undefined> {
  const row = await db
    .selectFrom('api_keys')
    .select(['id', 'tenant_id', 'scopes'])
    .where('digest', '=', keyDigest(key))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return row && { tenantId: row.tenant_id, scopes: row.scopes, keyId: row.id };
}

export async function listKeys(db: Kysely<Database>, tenantId: string): Promise<KeyView[]> {
  return await db
    .selectFrom('api_keys')
    .select(['id', 'name', 'scopes', 'created_at as createdAt', 'revoked_at as revokedAt'])
    .where('tenant_id', '=', tenantId)
    .orderBy('id')
    .execute();
}

/** Resolves with false when the tenant has no such key. */
export async function revokeKey(db: Kysely<Database>, tenantId: string, id: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('api_keys')
    .set({ revoked_at: sql<Date>`coalesce(revoked_at, now())` })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** 256 random bits need no salt and no slow hash: there is nothing to guess. */
export function keyDigest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
