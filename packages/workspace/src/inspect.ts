import { readdir } from 'node:fs/promises';
import { freeBytes } from './files/disk-usage.ts';
import { isAlive } from './files/owner.ts';
import type { GitProbe } from './git/probe.ts';
import { isOver, listLeases } from './lease/lease.ts';
import type { Finding, Inspection, LeaseInspection, MirrorInspection } from './manager.ts';
import { commitOf } from './mirror/generation.ts';
import { generationPath, readMirror } from './mirror/record.ts';
import type { Services } from './services.ts';
import type { StrategyProbe } from './strategy.ts';
import { listShelves } from './template/pool.ts';
import { listTemplates } from './template/templates.ts';

async function inspectMirrors(services: Services): Promise<MirrorInspection[]> {
  const mirrors: MirrorInspection[] = [];
  for (const key of await readdir(services.root.mirrors)) {
    const record = await readMirror(services.root, key);
    if (record === undefined) continue;
    const { url, generation, fetchedAt, partial } = record;
    mirrors.push({ repo: url, generation, fetchedAt, partial });
  }
  return mirrors;
}

async function inspectLeases(services: Services): Promise<LeaseInspection[]> {
  const leases = await listLeases(services.root);
  return await Promise.all(
    leases.map(async ({ leaseId, repo, tenant, state, strategy, createdAt, owner }) => {
      const ownerAlive = await isAlive(services.root.owners, owner);
      return { leaseId, repo, tenant, state, strategy, createdAt, ownerAlive };
    }),
  );
}

/** Reads the books. */
export async function inspectRoot(
  services: Services,
  git: GitProbe,
  strategies: readonly StrategyProbe[],
): Promise<Inspection> {
  const shelves = await listShelves(services);
  return {
    gitVersion: git.version,
    strategies,
    unsafeGit: git.unsafe,
    mirrors: await inspectMirrors(services),
    leases: await inspectLeases(services),
    templates: (await listTemplates(services)).length,
    poolReady: shelves.reduce((sum, { members }) => sum + members, 0),
    gitProcesses: services.git.running(),
    gitWaiting: services.git.waiting(),
  };
}

async function checkMirrors(services: Services): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const key of await readdir(services.root.mirrors)) {
    const record = await readMirror(services.root, key);
    if (record === undefined) continue;
    const gitDir = generationPath(services.root, key, record.generation);
    const commits = [...new Set(Object.values(record.seen).map((seen) => seen.commit))];
    const missing = await Promise.all(commits.map(async (id) => (await commitOf(services, gitDir, id)) === undefined));
    if (missing.includes(true)) {
      findings.push({
        level: 'error',
        code: 'mirror-incomplete',
        message: `The mirror of ${record.url} lost commits; its next checkout replaces it`,
      });
    }
  }
  return findings;
}

/** Looks for what is wrong. */
export async function diagnose(
  services: Services,
  git: GitProbe,
  strategies: readonly StrategyProbe[],
): Promise<readonly Finding[]> {
  const findings = await checkMirrors(services);
  for (const name of git.unsafe) {
    findings.push({ level: 'error', code: 'unsafe-git', message: `git ${git.version} shows ${name}; update git` });
  }
  for (const { available, strategy, reason } of strategies) {
    if (!available)
      findings.push({
        level: 'warning',
        code: 'strategy',
        message: `Strategy ${strategy} does not work here: ${reason}`,
      });
  }
  if ((await freeBytes(services.root.path)) < 2 * services.limits.freeBytes) {
    findings.push({
      level: 'warning',
      code: 'disk',
      message: 'The disk is nearly full; evictions and refusals are near. Free some',
    });
  }
  for (const lease of await listLeases(services.root)) {
    if (await isOver(services, lease)) {
      findings.push({
        level: 'warning',
        code: 'dead-lease',
        message: `Lease ${lease.leaseId} is over; \`prune\` removes it`,
      });
    }
  }
  return findings;
}
