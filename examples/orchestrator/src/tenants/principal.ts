/** What a key may do. `admin` manages tenants and sees workers; the others are about the runs of one tenant. */
export const scopes = ['runs:read', 'runs:write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** On whose behalf a request is made. Every row and stream it can reach belongs to its tenant. */
export interface Principal {
  readonly tenantId: string;
  readonly scopes: readonly Scope[];
  /** What its rate is counted under. */
  readonly keyId: string;
}

/** Whoever reaches a server on loopback without keys. */
export const localPrincipal: Principal = { tenantId: 'default', scopes, keyId: 'local' };
