import { mayUseRepo } from '../tenants/allowed-repos.ts';
import type { TenantRow } from '../tenants/tenants.ts';
import type { ApiContext } from './context.ts';
import { ApiError } from './problem.ts';

/**
 * Checks that a repository and a ref are there, for a tenant that may use them. Who may not is told so before anybody is
 * asked: the answer must not say whether another tenant's repository exists.
 *
 * @throws {ApiError}
 */
export async function checkRepo(
  { preflight }: ApiContext,
  tenant: TenantRow | undefined,
  repo: string,
  ref: string,
): Promise<void> {
  if (!mayUseRepo(tenant?.repos ?? null, repo)) {
    const detail = `The tenant may not use ${repo}; an administrator adds it to the tenant's repos.`;
    throw new ApiError(403, 'ERR_REPO_FORBIDDEN', detail);
  }
  await preflight.check(repo, ref);
}
