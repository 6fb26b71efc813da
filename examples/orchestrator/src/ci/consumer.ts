import type { Kysely } from 'kysely';
import { createLoop, type Loop } from '../loop.ts';
import { type RollupChange, saveObservations } from './checks.ts';
import { type Delivery, processDeliveries } from './deliveries.ts';
import { observationsIn } from './payloads.ts';
import { noteHeard } from './poll-targets.ts';
import { type RepositoryNews, repositoryNewsIn } from './repository-news.ts';
import type { CiDatabase } from './tables.ts';

export interface ConsumerOptions {
  readonly db: Kysely<CiDatabase>;
  /** Milliseconds between two looks when nobody wakes the consumer. */
  readonly pollInterval: number;
  /** What a commit's checks say has changed; runs in the transaction that saves it. */
  readonly onRollup: (tx: Kysely<CiDatabase>, change: RollupChange) => Promise<void>;
  /** Something else happened to a repository; runs in the transaction of its delivery. */
  readonly onNews: (tx: Kysely<CiDatabase>, news: RepositoryNews) => Promise<void>;
  /** A delivery told of a state that is so many milliseconds old. @default nobody */
  readonly onDelivered?: (delay: number) => void;
  readonly onError: (error: unknown) => void;
}

/** Makes check states of stored deliveries. Any number of consumers may run. */
export function createConsumer(options: ConsumerOptions): Loop {
  return createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    async turn() {
      const process = (tx: Kysely<CiDatabase>, delivery: Delivery) => apply(tx, delivery, options);
      while ((await processDeliveries(options.db, process, options.onError)) > 0);
    },
  });
}

async function apply(
  tx: Kysely<CiDatabase>,
  { event, body, receivedAt }: Delivery,
  { onRollup, onNews, onDelivered }: ConsumerOptions,
): Promise<void> {
  const payload: unknown = JSON.parse(body.toString());
  const observations = observationsIn(event, payload);
  for (const change of await saveObservations(tx, observations)) {
    if (change.changed) await onRollup(tx, change);
  }
  const newest = Math.max(...observations.map(({ observedAt }) => observedAt));
  if (receivedAt && Number.isFinite(newest)) onDelivered?.(receivedAt.getTime() - newest);
  const news = repositoryNewsIn(event, payload);
  if (news) await onNews(tx, news);
  const repoId = (payload as { repository?: { id?: unknown } } | null)?.repository?.id;
  if (typeof repoId === 'number' && receivedAt) await noteHeard(tx, repoId, receivedAt);
}
