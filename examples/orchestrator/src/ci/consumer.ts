import type { Kysely } from 'kysely';
import { createLoop, type Loop } from '../loop.ts';
import { type RollupChange, saveObservations } from './checks.ts';
import { type Delivery, processDeliveries } from './deliveries.ts';
import { observationsIn } from './payloads.ts';
import type { CiDatabase } from './tables.ts';

export interface ConsumerOptions {
  readonly db: Kysely<CiDatabase>;
  /** Milliseconds between two looks when nobody wakes the consumer. */
  readonly pollInterval: number;
  /** What a commit's checks say has changed; runs in the transaction that saves it. */
  readonly onRollup: (tx: Kysely<CiDatabase>, change: RollupChange) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Makes check states of stored deliveries. Any number of consumers may run. */
export function createConsumer(options: ConsumerOptions): Loop {
  return createLoop({
    interval: options.pollInterval,
    onError: options.onError,
    async turn() {
      const process = (tx: Kysely<CiDatabase>, delivery: Delivery) => apply(tx, delivery, options.onRollup);
      while ((await processDeliveries(options.db, process, options.onError)) > 0);
    },
  });
}

async function apply(tx: Kysely<CiDatabase>, delivery: Delivery, onRollup: ConsumerOptions['onRollup']): Promise<void> {
  const changes = await saveObservations(tx, observationsIn(delivery.event, JSON.parse(delivery.body.toString())));
  for (const change of changes) {
    if (change.changed) await onRollup(tx, change);
  }
}
