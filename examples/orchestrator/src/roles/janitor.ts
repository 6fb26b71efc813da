import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkspaceManager } from '@millrace/workspace';
import { type Kysely, sql } from 'kysely';
import { archiveLogs, expireArtifacts } from '../archive/archive-logs.ts';
import { ciTables } from '../ci/await-checks.ts';
import { forgetOldNews } from '../ci/forget-old.ts';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import { isId } from '../ids.ts';
import { createLoop } from '../loop.ts';
import type { ObjectStore } from '../objects/store.ts';
import type { Relay } from '../relay/relay.ts';
import { deadlineOver } from '../runs/errors.ts';
import type { RunQueue } from '../runs/queue.ts';
import { isTerminal, unheldStates } from '../runs/states.ts';
import { applyMove } from '../runs/transition.ts';
import type { Role } from './role.ts';

/** Milliseconds between two rounds. */
const roundInterval = 10_000;
/** A run that nothing was heard of for so long (seconds) is looked for in the queue. */
const silence = 60;
/** Silent runs that are read at a time. */
const pageSize = 100;
/** A worker that missed its heartbeat for so long (seconds) is forgotten. */
const workerSilence = 60;

export interface JanitorParts {
  readonly db: Kysely<Database>;
  readonly queue: RunQueue;
  readonly relay: Relay;
  readonly objects: ObjectStore;
  readonly workspaces: WorkspaceManager;
  readonly retention: Config['retention'];
  readonly scratch: string;
  readonly onError: (error: unknown) => void;
}

/** Finds what a crash left behind. Any number of janitors may work: every act is idempotent. */
export function startJanitor(parts: JanitorParts): Role {
  const loop = createLoop({
    interval: roundInterval,
    onError: parts.onError,
    async turn() {
      await recoverLostRuns(parts);
      await endOverdueRuns(parts);
      await resumeParkedRuns(parts);
      await forgetDeadWorkers(parts.db);
      await sweepScratch(parts);
      await archiveLogs(parts, parts.retention.archiveLogs);
      await expireArtifacts(parts, parts.retention.artifacts);
      await forgetOldNews(ciTables(parts.db), parts.retention.webhooks);
      await parts.workspaces.prune();
    },
  });
  return { name: 'janitor', stop: loop.stop };
}

/**
 * A run whose job the queue does not know (its storage was lost, or somebody purged it) would wait for ever: it is
 * handed over anew, under the next dispatch number, which outranks whatever the old queue may still deliver.
 * All silent runs are looked at, in pages: behind any number that the queue knows may be one that it lost.
 */
export async function recoverLostRuns({ db, queue }: Pick<JanitorParts, 'db' | 'queue'>): Promise<number> {
  let recovered = 0;
  let page = await silentRuns(db);
  while (page.length > 0) {
    for (const run of page) {
      if (await isKnown(queue, run.job_id)) continue;
      if (await redispatch(db, run)) recovered += 1;
    }
    page = page.length < pageSize ? [] : await silentRuns(db, page.at(-1));
  }
  return recovered;
}

/** A page of the runs that nothing was heard of, the most silent first. The cursor is text: a Date has no microseconds. */
async function silentRuns(db: Kysely<Database>, after?: { readonly since: string; readonly id: string }) {
  return await db
    .selectFrom('runs')
    .select(['id', 'job_id', 'dispatch', sql<string>`updated_at::text`.as('since')])
    .where('state', 'not in', ['succeeded', 'failed', 'cancelled', 'parked', 'ci_waiting'])
    .where('job_id', 'is not', null)
    .where('updated_at', '<', sql<Date>`now() - make_interval(secs => ${silence})`)
    .$if(after !== undefined, (query) =>
      query.where(sql<boolean>`(updated_at, id) > (${after?.since}::timestamptz, ${after?.id}::uuid)`),
    )
    .orderBy('updated_at')
    .orderBy('id')
    .limit(pageSize)
    .execute();
}

async function isKnown(queue: RunQueue, jobId: string | null): Promise<boolean> {
  const job = jobId === null ? undefined : await queue.inspect.job(jobId);
  return job !== undefined && !['succeeded', 'dead', 'cancelled'].includes(job.state);
}

async function redispatch(
  db: Kysely<Database>,
  run: { readonly id: string; readonly dispatch: number },
): Promise<boolean> {
  return await db.transaction().execute(async (tx) => {
    const current = await tx.selectFrom('runs').selectAll().where('id', '=', run.id).forUpdate().executeTakeFirst();
    if (!current || isTerminal(current.state) || current.dispatch !== run.dispatch) return false;
    const [dispatch, seq] = [current.dispatch + 1, current.event_seq + 1];
    const values = { dispatch, fence: 0, job_id: null, event_seq: seq, updated_at: sql<Date>`now()` };
    await tx.updateTable('runs').set(values).where('id', '=', run.id).execute();
    const event = { run_id: run.id, seq, type: 'redispatched', from_state: current.state, to_state: current.state };
    await tx
      .insertInto('run_events')
      .values({ ...event, data: '{}' })
      .execute();
    await tx.insertInto('outbox').values({ run_id: run.id, dispatch }).execute();
    return true;
  });
}

/** Hands runs over again whose time to wait is over. What they wait for may still hold: then they are parked anew. */
export async function resumeParkedRuns({ db, relay }: Pick<JanitorParts, 'db' | 'relay'>): Promise<number> {
  const due = await db
    .selectFrom('runs')
    .select(['id', 'commit_sha'])
    .where('state', '=', 'parked')
    .where('parked_until', '<=', sql<Date>`now()`)
    .limit(100)
    .execute();
  let resumed = 0;
  for (const { id, commit_sha } of due) {
    const to = commit_sha === null ? 'queued' : 'pushing';
    const set = { parked_reason: null, parked_until: null };
    if (await applyMove(db, id, { from: 'parked', to, type: 'resumed', set, redispatch: true })) resumed += 1;
    relay.publish({ kind: 'outbox', runId: id });
  }
  return resumed;
}

/** Ends runs that nobody holds and whose deadline is over; of those that are held, the worker knows. */
export async function endOverdueRuns({ db, relay }: Pick<JanitorParts, 'db' | 'relay'>): Promise<number> {
  const overdue = await db
    .selectFrom('runs')
    .select(['id', 'state'])
    .where('deadline_at', '<=', sql<Date>`now()`)
    .where('finished_at', 'is', null)
    .where('state', 'in', [...unheldStates])
    .limit(100)
    .execute();
  const { code, message, class: kind } = deadlineOver();
  const problem = { code, message, class: kind };
  let ended = 0;
  for (const { id, state } of overdue) {
    const set = { error: JSON.stringify(problem), parked_reason: null, parked_until: null };
    if (await applyMove(db, id, { from: state, to: 'failed', set, data: problem })) ended += 1;
    relay.publish({ kind: 'run', runId: id });
  }
  return ended;
}

async function forgetDeadWorkers(db: Kysely<Database>): Promise<void> {
  await db
    .deleteFrom('workers')
    .where('heartbeat_at', '<', sql<Date>`now() - make_interval(secs => ${workerSilence})`)
    .execute();
}

/** Homes of agents whose run has ended. Their names begin with the run's id. */
async function sweepScratch({ db, scratch }: JanitorParts): Promise<void> {
  const names = await readdir(scratch).catch(() => [] as string[]);
  const owned = names.map((name) => ({ name, runId: name.slice(0, 36) })).filter(({ runId }) => isId(runId));
  if (owned.length === 0) return;
  const open = await db
    .selectFrom('runs')
    .select('id')
    .where('id', 'in', [...new Set(owned.map(({ runId }) => runId))])
    .where('finished_at', 'is', null)
    .execute();
  const alive = new Set(open.map((run) => run.id));
  for (const { name, runId } of owned) {
    if (!alive.has(runId)) await rm(join(scratch, name), { recursive: true, force: true });
  }
}
