import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { CommitName } from './checks.ts';
import type { CheckSource } from './observation.ts';
import type { CiDatabase } from './tables.ts';

/** A commit that the forge is to be asked about now. */
export interface PollTarget extends CommitName {
  readonly repoUrl: string;
  /** How often it was asked about in this silence, this time included. */
  readonly polls: number;
  /** Milliseconds since somebody began to wait for it. */
  readonly age: number;
}

/** When commits are asked about. All durations in milliseconds. */
export interface PollSchedule {
  /** A forge that was silent for so long is asked. */
  readonly silence: number;
  /** After the first question of a silence; doubled for each further one. */
  readonly firstDelay: number;
  readonly maxDelay: number;
  /** How seldom a commit is asked about while webhooks come. */
  readonly slowPoll: number;
  /** A commit that nobody reports a check for is asked about after this time. */
  readonly noChecks: number;
  /** `repo`: each repository has a hook of its own, whose silence counts. `all`: one hook serves every repository. */
  readonly hook: 'repo' | 'all';
}

/** The clock of the database unless a test moves one of its own. */
export type Now = () => RawBuilder<Date>;
export const databaseNow: Now = () => sql<Date>`now()`;

/** Begins to watch a commit: from now on its checks are found out with or without webhooks. */
export async function watchCommit(
  tx: Kysely<CiDatabase>,
  { repoId, sha }: CommitName,
  repoUrl: string,
  now: Now = databaseNow,
): Promise<void> {
  await sql`
    INSERT INTO poll_targets (repo_id, sha, repo_url, reason, next_at, created_at)
    VALUES (${repoId}, ${sha}, ${repoUrl}, 'silence', ${now()}, ${now()})
    ON CONFLICT (repo_id, sha) DO NOTHING
  `.execute(tx);
}

export async function forgetCommit(tx: Kysely<CiDatabase>, { repoId, sha }: CommitName): Promise<void> {
  await tx.deleteFrom('poll_targets').where('repo_id', '=', `${repoId}`).where('sha', '=', sha).execute();
}

/** Has the forge asked about a commit at once. @returns whether somebody watches it */
export async function askAtOnce(
  tx: Kysely<CiDatabase>,
  { repoId, sha }: CommitName,
  now: Now = databaseNow,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('poll_targets')
    .set({ reason: 'confirm', next_at: now() })
    .where('repo_id', '=', `${repoId}`)
    .where('sha', '=', sha)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** A source is noted again only after so long (milliseconds): a storm of deliveries must not queue for one row. */
const noteInterval = 5_000;

/** Notes that a repository's webhooks come; the next silence begins with quick questions again. */
export async function noteHeard(
  tx: Kysely<CiDatabase>,
  repoId: number,
  at: Date,
  interval: number = noteInterval,
): Promise<void> {
  const { rows } = await sql`
    INSERT INTO webhook_sources (repo_id, heard_at)
    SELECT ${repoId}::bigint, ${at}::timestamptz WHERE NOT EXISTS (
      SELECT FROM webhook_sources
      WHERE repo_id = ${repoId} AND heard_at > ${at}::timestamptz - make_interval(secs => ${interval / 1000})
    )
    ON CONFLICT (repo_id) DO UPDATE SET heard_at = greatest(webhook_sources.heard_at, excluded.heard_at)
    RETURNING repo_id
  `.execute(tx);
  if (rows.length === 0) return;
  const quickly = { polls: 0, next_at: sql<Date>`least(next_at, ${at}::timestamptz)` };
  await tx.updateTable('poll_targets').set(quickly).where('repo_id', '=', `${repoId}`).where('polls', '>', 0).execute();
}

interface ClaimedRow {
  readonly repo_id: string;
  readonly sha: string;
  readonly repo_url: string;
  readonly polls: number;
  readonly age: number;
}

/**
 * Takes commits whose time has come and, in the same statement, sets the time of the next question, so that several
 * processes share them and a crash costs one delay. While a repository's webhooks come, nothing of it is due but what
 * is to be confirmed, what is overdue by `slowPoll`, and what nobody reports a check for.
 */
export async function claimDue(
  db: Kysely<CiDatabase>,
  schedule: PollSchedule,
  limit: number,
  now: Now = databaseNow,
  random: () => number = Math.random,
): Promise<readonly PollTarget[]> {
  const seconds = (milliseconds: number) => sql`make_interval(secs => ${milliseconds / 1000})`;
  const heard =
    schedule.hook === 'all'
      ? sql`(SELECT max(heard_at) FROM webhook_sources)`
      : sql`(SELECT heard_at FROM webhook_sources s WHERE s.repo_id = t.repo_id)`;
  const since = sql`coalesce(${heard}, t.created_at)`;
  const { firstDelay, maxDelay } = schedule;
  // Between 75 and 125 % of the delay, so that commits of one push do not come due together for ever.
  const jitter = 0.75 + random() / 2;
  const { rows } = await sql<ClaimedRow>`
    UPDATE poll_targets SET
      polls = poll_targets.polls + 1, reason = 'silence',
      next_at = ${now()} + make_interval(secs =>
        least(${maxDelay / 1000}, ${firstDelay / 1000} * 2 ^ least(poll_targets.polls, 30)) * ${jitter}::double precision)
    FROM (
      SELECT t.repo_id, t.sha FROM poll_targets t
      LEFT JOIN ci_rollups r ON r.repo_id = t.repo_id AND r.sha = t.sha
      WHERE t.next_at <= ${now()} AND (
        t.reason = 'confirm'
        OR greatest(${since}, t.created_at) <= ${now()} - ${seconds(schedule.silence)}
        OR greatest(t.next_at, t.created_at) <= ${now()} - ${seconds(schedule.slowPoll)}
        OR (coalesce(r.state, 'none') = 'none' AND t.created_at <= ${now()} - ${seconds(schedule.noChecks)})
      )
      ORDER BY t.next_at LIMIT ${limit} FOR UPDATE OF t SKIP LOCKED
    ) due
    WHERE poll_targets.repo_id = due.repo_id AND poll_targets.sha = due.sha
    RETURNING poll_targets.repo_id, poll_targets.sha, poll_targets.repo_url, poll_targets.polls,
      extract(epoch FROM ${now()} - poll_targets.created_at)::double precision * 1000 AS age
  `.execute(db);
  return rows.map(({ repo_id, sha, repo_url, polls, age }) => ({
    repoId: Number(repo_id),
    sha,
    repoUrl: repo_url,
    polls,
    age,
  }));
}

/** Puts a question off: the forge, or what may be spent on asking, has no room now. */
export async function putOff(
  db: Kysely<CiDatabase>,
  { repoId, sha }: CommitName,
  delay: number,
  now: Now = databaseNow,
): Promise<void> {
  await db
    .updateTable('poll_targets')
    .set({ next_at: sql<Date>`${now()} + make_interval(secs => ${delay / 1000})`, reason: 'confirm' })
    .where('repo_id', '=', `${repoId}`)
    .where('sha', '=', sha)
    .execute();
}

/** Checks and statuses always; the groups only where one was heard of that has not ended: that saves two calls of four. */
export async function sourcesToAsk(db: Kysely<CiDatabase>, { repoId, sha }: CommitName): Promise<CheckSource[]> {
  const open = await db
    .selectFrom('ci_checks')
    .select('source')
    .distinct()
    .where('repo_id', '=', `${repoId}`)
    .where('sha', '=', sha)
    .where('status', '!=', 'completed')
    .where('source', 'in', ['check_suite', 'workflow_run', 'workflow_job'])
    .execute();
  return ['check_run', 'status', ...open.map(({ source }) => source)];
}
