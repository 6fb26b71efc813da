import type { Observability } from '@millrace/observability';
import type { Store } from '@millrace/ratelimit';
import type { Kysely } from 'kysely';
import { ciTables, settleByRollup, settleWithoutChecks } from '../ci/await-checks.ts';
import { createConsumer } from '../ci/consumer.ts';
import type { PollSchedule } from '../ci/poll-targets.ts';
import { createPoller, pollBudget } from '../ci/poller.ts';
import { applyPullRequestNews } from '../ci/pull-request-news.ts';
import type { RepositoryNews } from '../ci/repository-news.ts';
import { createSweep } from '../ci/sweep.ts';
import type { CiDatabase } from '../ci/tables.ts';
import type { Config } from '../config.ts';
import type { Database } from '../db/schema.ts';
import type { Forges } from '../forge/open.ts';
import type { Loop } from '../loop.ts';
import { type CheckObserver, createCheckObserver } from '../observe/checks.ts';
import type { Relay } from '../relay/relay.ts';
import { isWaitedFor } from '../runs/checked.ts';
import type { Role } from './role.ts';

export interface CiParts {
  readonly config: Pick<Config, 'pollInterval' | 'ci' | 'github'>;
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly forges: Forges;
  /** Shares between processes what asking the forge may cost. */
  readonly limits: Store;
  readonly observability: Observability;
  readonly onError: (error: unknown) => void;
}

/** Finds out what the forge says about commits, by its webhooks or by asking, and ends the runs that waited for it. */
export function startCi(parts: CiParts): Role {
  const { db, relay, config, onError } = parts;
  const observer = createCheckObserver(parts.observability);
  const announce = (runIds: readonly string[]): void => {
    for (const runId of runIds) {
      relay.publish({ kind: 'run', runId });
      relay.publish({ kind: 'outbox', runId });
    }
  };
  const consumer = createConsumer({
    db: ciTables(db),
    pollInterval: config.pollInterval,
    onError,
    async onRollup(tx, { rollup, ...commit }) {
      observer.news('webhook');
      const settled = await settleByRollup(plain(tx), commit, rollup, 'webhook');
      await observer.settled(plain(tx), settled, 'webhook');
      announce(settled);
      if (rollup.state === 'success') poller.wake();
    },
    onDelivered: observer.delivered,
    onNews: (tx, news) => applyNews(plain(tx), news, relay, announce),
  });
  const poller = startPoller(parts, observer, announce);
  const loops: Loop[] = [consumer, poller];
  const { hookLog } = parts.forges;
  if (hookLog) {
    const { sweepInterval: interval } = config.ci;
    loops.push(createSweep({ db: ciTables(db), log: hookLog, interval, onError }));
  }
  const unsubscribe = relay.subscribe(['webhook'], consumer.wake);
  return {
    name: 'ci',
    async stop() {
      unsubscribe();
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

function startPoller(
  { db, config, forges, limits, onError }: CiParts,
  observer: CheckObserver,
  announce: (runIds: readonly string[]) => void,
): Loop {
  const { noChecks, callsPerHour } = config.ci;
  return createPoller({
    db: ciTables(db),
    forgeOf: forges.of,
    schedule: scheduleOf(config),
    budget: pollBudget(callsPerHour, limits),
    pollInterval: config.pollInterval,
    isWaitedFor: (ci, target) => isWaitedFor(plain(ci), target),
    async onAnswer(tx, { repoId, sha, age }, rollup) {
      const commit = { repoId, sha };
      const over = rollup.state === 'none' && age >= noChecks;
      const settled = await (over
        ? settleWithoutChecks(plain(tx), commit)
        : settleByRollup(plain(tx), commit, rollup, 'answer'));
      if (settled.length > 0) observer.news('poll');
      await observer.settled(plain(tx), settled, 'poll');
      announce(settled);
    },
    onError,
  });
}

/** The first question of a silence after itself, then twice as long each time, up to a few minutes. */
function scheduleOf({ ci, github }: CiParts['config']): PollSchedule {
  const { silence, slowPoll, noChecks } = ci;
  const hook = github?.auth.kind === 'token' ? 'repo' : 'all';
  return { silence, slowPoll, noChecks, hook, firstDelay: silence / 4, maxDelay: silence * 2.5 };
}

async function applyNews(
  tx: Kysely<Database>,
  news: RepositoryNews,
  relay: Relay,
  announce: (runIds: readonly string[]) => void,
): Promise<void> {
  if (news.kind !== 'pushed') return announce(await applyPullRequestNews(tx, news));
  const repos = await tx
    .selectFrom('repos')
    .select('id')
    .where((eb) =>
      eb.or([
        eb('forge_repo_id', '=', `${news.repoId}`),
        ...(news.urls.length > 0 ? [eb('url', 'in', [...news.urls])] : []),
      ]),
    )
    .limit(100)
    .execute();
  for (const { id } of repos) relay.publish({ kind: 'push', runId: id });
}

/** The half of the program that knows runs sees the same connection without the tables of CI. */
function plain(db: Kysely<CiDatabase>): Kysely<Database> {
  return db as unknown as Kysely<Database>;
}
