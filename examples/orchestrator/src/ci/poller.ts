import { type RateLimit, rateLimit, type Store } from '@millrace/ratelimit';
import type { Kysely } from 'kysely';
import type { Forge } from '../forge/forge.ts';
import { limitsTimeout } from '../limits.ts';
import { createLoop, type Loop } from '../loop.ts';
import { saveObservations } from './checks.ts';
import { latest } from './merge.ts';
import {
  claimDue,
  databaseNow,
  forgetCommit,
  type Now,
  type PollSchedule,
  type PollTarget,
  putOff,
  sourcesToAsk,
} from './poll-targets.ts';
import { type Rollup, rollUp } from './rollup.ts';
import type { CiDatabase } from './tables.ts';

export interface PollerOptions {
  readonly db: Kysely<CiDatabase>;
  readonly forgeOf: (repoUrl: string) => Forge;
  readonly schedule: PollSchedule;
  /** What asking may cost, in calls of the forge. */
  readonly budget: RateLimit;
  /** Milliseconds between two looks when nobody wakes the poller. */
  readonly pollInterval: number;
  /** Whether anybody still waits for a commit. */
  readonly isWaitedFor: (db: Kysely<CiDatabase>, target: PollTarget) => Promise<boolean>;
  /** What the forge says now, all of it; runs in the transaction that saves it. */
  readonly onAnswer: (tx: Kysely<CiDatabase>, target: PollTarget, rollup: Rollup) => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** @default the database's */
  readonly now?: Now;
}

/** Commits asked about at a time. */
const batchSize = 8;
/** Lists that one question may read. */
const maxCalls = 4;
/** Milliseconds that one question may take. */
const questionTimeout = 180_000;
/** Milliseconds before trying again when all that may be spent is spent. */
const poorDelay = 60_000;

/** What asking may cost, in all processes that share the store; a quarter of an hour's calls may be made at once. */
export function pollBudget(callsPerHour: number, store?: Store): RateLimit {
  const burst = Math.min(callsPerHour, Math.max(maxCalls, Math.ceil(callsPerHour / 4)));
  return rateLimit({
    name: 'ci/polls',
    key: 'ci/polls',
    limits: [{ dimension: 'requests', limit: callsPerHour, per: '1h', burst }],
    maxWait: 0,
    ...(store && { store, storeTimeout: limitsTimeout, onStoreDown: 'share' as const }),
  });
}

/** Asks the forge about commits that somebody waits for and that webhooks are silent about. Any number may run. */
export function createPoller(options: PollerOptions): Loop {
  return createLoop({ interval: options.pollInterval, onError: options.onError, turn: () => pollDue(options) });
}

/** One round. Exported for tests, which move the clock themselves. @returns how many commits were asked about */
export async function pollDue(options: PollerOptions): Promise<void> {
  for (;;) {
    const due = await claimDue(options.db, options.schedule, batchSize, options.now);
    await Promise.all(due.map((target) => ask(options, target).catch((error) => failed(options, target, error))));
    if (due.length < batchSize) return;
  }
}

async function ask(options: PollerOptions, target: PollTarget): Promise<void> {
  const { db, budget } = options;
  if (!(await options.isWaitedFor(db, target))) return await forgetCommit(db, target);
  const sources = await sourcesToAsk(db, target);
  if (!(await budget.tryAcquire({ cost: { requests: sources.length } }))) {
    return await putOff(db, target, poorDelay, options.now);
  }
  const forge = options.forgeOf(target.repoUrl);
  const commit = { repoUrl: target.repoUrl, forgeRepoId: target.repoId, sha: target.sha };
  const observations = await forge.readChecks(commit, sources, AbortSignal.timeout(questionTimeout));
  await db.transaction().execute(async (tx) => {
    const [change] = await saveObservations(tx, observations);
    await options.onAnswer(tx, target, change?.rollup ?? rollUp(latest([])));
  });
}

/** The next question has its time already; where the forge says when, that is better. */
async function failed(options: PollerOptions, target: PollTarget, error: unknown): Promise<void> {
  options.onError(error);
  const { retryAfter } = error as { retryAfter?: unknown };
  if (typeof retryAfter === 'number') await putOff(options.db, target, retryAfter, options.now ?? databaseNow);
}
