import { DiskFullError } from './errors.ts';
import { type Usage, usageOf } from './files/disk-usage.ts';
import { listLeases, workspaceFolder } from './lease/lease.ts';
import type { Services } from './services.ts';

/** What a workspace takes: its files, or what was written above a template, and what the host keeps beside them. */
function workspaceUsage(services: Services, leaseId: string): Promise<Usage> {
  return usageOf(workspaceFolder(services.root, leaseId));
}

async function isOverQuota(services: Services, leaseId: string): Promise<Usage | undefined> {
  const { workspaceBytes, workspaceInodes } = services.limits;
  if (!Number.isFinite(workspaceBytes) && !Number.isFinite(workspaceInodes)) return undefined;
  const usage = await workspaceUsage(services, leaseId);
  return usage.bytes > workspaceBytes || usage.inodes > workspaceInodes ? usage : undefined;
}

/** Leases whose workspace is over its bytes or inodes. */
export async function overQuota(services: Services): Promise<readonly string[]> {
  const over: string[] = [];
  for (const { leaseId } of await listLeases(services.root)) {
    if ((await isOverQuota(services, leaseId)) !== undefined) over.push(leaseId);
  }
  return over;
}

/** Refuses to add to a workspace that is over its quota. @throws {DiskFullError} */
export async function checkWorkspace(services: Services, leaseId: string): Promise<void> {
  const usage = await isOverQuota(services, leaseId);
  if (usage === undefined) return;
  const { workspaceBytes, workspaceInodes } = services.limits;
  throw new DiskFullError(
    `Workspace ${leaseId} has ${usage.bytes} bytes in ${usage.inodes} files; its quota is ${workspaceBytes} in ${workspaceInodes}. Remove some`,
  );
}

/** Refuses a checkout of a tenant that has used up its quota. @throws {DiskFullError} */
export async function checkTenant(services: Services, tenant: string): Promise<void> {
  const { tenantBytes, tenantInodes } = services.limits;
  if (!Number.isFinite(tenantBytes) && !Number.isFinite(tenantInodes)) return;
  let [bytes, inodes] = [0, 0];
  for (const lease of await listLeases(services.root)) {
    if (lease.tenant !== tenant) continue;
    const usage = await workspaceUsage(services, lease.leaseId);
    bytes += usage.bytes;
    inodes += usage.inodes;
  }
  if (bytes > tenantBytes || inodes > tenantInodes) {
    throw new DiskFullError(
      `Tenant ${tenant} uses ${bytes} bytes in ${inodes} files; its quota is used up. Dispose workspaces first`,
      { retryAfter: 30_000 },
    );
  }
}
