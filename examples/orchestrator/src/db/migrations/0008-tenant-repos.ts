import type { SqlMigration } from '../migrate.ts';

/** Which repositories a tenant may use: the server's credentials reach those of every tenant. */
export const tenantRepos: SqlMigration = {
  up: `
    ALTER TABLE tenants ADD COLUMN repos text[];
  `,
  down: `
    ALTER TABLE tenants DROP COLUMN repos;
  `,
};
