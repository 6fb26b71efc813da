import { type Kysely, sql } from 'kysely';
import { latest, statusRank } from './merge.ts';
import type { Observation } from './observation.ts';
import { type Rollup, rollUp } from './rollup.ts';
import type { CiDatabase } from './tables.ts';

/** A commit of a repository at the forge. */
export interface CommitName {
  readonly repoId: number;
  readonly sha: string;
}

/** What the checks of a commit say together, and whether that is news. */
export interface RollupChange extends CommitName {
  readonly rollup: Rollup;
  readonly changed: boolean;
}

/**
 * Merges statements into what is known and rolls their commits up anew. Must run in a transaction: the roll-up's row
 * is locked first, so that two deliveries about one commit never compute it from half of the other's news.
 */
export async function saveObservations(
  tx: Kysely<CiDatabase>,
  observations: readonly Observation[],
): Promise<readonly RollupChange[]> {
  const changes: RollupChange[] = [];
  for (const [commit, statements] of byCommit(observations)) {
    await lockRollup(tx, commit);
    for (const statement of latest(statements).values()) await upsertCheck(tx, statement);
    changes.push(await refreshRollup(tx, commit));
  }
  return changes;
}

/** What the checks of a commit say together; until the transaction ends nobody else can change it. */
export async function lockedRollup(tx: Kysely<CiDatabase>, commit: CommitName): Promise<Rollup> {
  await lockRollup(tx, commit);
  return rollUp(latest(await readChecks(tx, commit)));
}

/** What is known about every check of a commit. */
export async function readChecks(db: Kysely<CiDatabase>, commit: CommitName): Promise<readonly Observation[]> {
  const rows = await db
    .selectFrom('ci_checks')
    .selectAll()
    .where('repo_id', '=', `${commit.repoId}`)
    .where('sha', '=', commit.sha)
    .execute();
  return rows.map((row) => ({
    repoId: commit.repoId,
    sha: row.sha,
    source: row.source,
    key: row.key,
    parent: row.parent ?? undefined,
    name: row.name,
    objectId: Number(row.object_id),
    attempt: row.attempt,
    status: row.status,
    conclusion: row.conclusion ?? undefined,
    observedAt: Number(row.observed_at),
    url: row.url ?? undefined,
  }));
}

/** Commits in a fixed order, so that two transactions never wait for each other's locks in a circle. */
function byCommit(observations: readonly Observation[]): readonly (readonly [CommitName, readonly Observation[]])[] {
  const groups = new Map<string, Observation[]>();
  for (const observation of observations) {
    const name = `${observation.repoId}/${observation.sha}`;
    groups.set(name, [...(groups.get(name) ?? []), observation]);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => (group[0] ? [[group[0], group] as const] : []));
}

async function lockRollup(tx: Kysely<CiDatabase>, { repoId, sha }: CommitName): Promise<void> {
  await tx
    .insertInto('ci_rollups')
    .values({ repo_id: repoId, sha, state: 'none', failing: [], waiting: [] })
    .onConflict((conflict) => conflict.columns(['repo_id', 'sha']).doUpdateSet({ sha }))
    .execute();
}

/** The order of `compareObservations`, as a comparison of rows. */
async function upsertCheck(tx: Kysely<CiDatabase>, check: Observation): Promise<void> {
  const values = {
    parent: check.parent ?? null,
    name: check.name,
    object_id: check.objectId,
    attempt: check.attempt,
    status: check.status,
    status_rank: statusRank[check.status],
    conclusion: check.conclusion ?? null,
    observed_at: check.observedAt,
    url: check.url ?? null,
  };
  await tx
    .insertInto('ci_checks')
    .values({ repo_id: check.repoId, sha: check.sha, source: check.source, key: check.key, ...values })
    .onConflict((conflict) =>
      conflict
        .columns(['repo_id', 'sha', 'source', 'key'])
        .doUpdateSet(values)
        .where(sql<boolean>`${orderOf('excluded')} > ${orderOf('ci_checks')}`),
    )
    .execute();
}

function orderOf(table: 'excluded' | 'ci_checks') {
  const text = (column: string) => sql`coalesce(${sql.ref(`${table}.${column}`)}, '') COLLATE "C"`;
  const number = (column: string) => sql.ref(`${table}.${column}`);
  return sql`(${sql.join([
    number('object_id'),
    number('attempt'),
    number('observed_at'),
    number('status_rank'),
    text('conclusion'),
    text('name'),
    text('parent'),
    text('url'),
  ])})`;
}

async function refreshRollup(tx: Kysely<CiDatabase>, commit: CommitName): Promise<RollupChange> {
  const rollup = rollUp(latest(await readChecks(tx, commit)));
  const { state, failing, waiting } = rollup;
  const updated = await tx
    .updateTable('ci_rollups')
    .set({ ...rollup, updated_at: sql<Date>`now()` })
    .where('repo_id', '=', `${commit.repoId}`)
    .where('sha', '=', commit.sha)
    .where(sql<boolean>`(state, failing, waiting) IS DISTINCT FROM (${state}, ${failing}::text[], ${waiting}::text[])`)
    .executeTakeFirst();
  return { repoId: commit.repoId, sha: commit.sha, rollup, changed: updated.numUpdatedRows > 0n };
}
