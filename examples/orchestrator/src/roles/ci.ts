import type { Kysely } from 'kysely';
import { createConsumer } from '../ci/consumer.ts';
import type { CiDatabase } from '../ci/tables.ts';
import type { Database } from '../db/schema.ts';
import type { Relay } from '../relay/relay.ts';
import { settleCheckedRuns } from '../runs/checked.ts';
import type { Role } from './role.ts';

export interface CiParts {
  readonly db: Kysely<Database>;
  readonly relay: Relay;
  readonly pollInterval: number;
  readonly onError: (error: unknown) => void;
}

/** Makes check states of the forge's webhooks, and ends the runs that waited for them. */
export function startCi({ db, relay, pollInterval, onError }: CiParts): Role {
  const consumer = createConsumer({
    db: db.withTables<Omit<CiDatabase, keyof Database>>(),
    pollInterval,
    onError,
    async onRollup(tx, { sha, rollup }) {
      const { state, failing } = rollup;
      if (state !== 'success' && state !== 'failure') return;
      for (const runId of await settleCheckedRuns(tx as unknown as Kysely<Database>, { sha, state, failing })) {
        relay.publish({ kind: 'run', runId });
      }
    },
  });
  const unsubscribe = relay.subscribe((hint) => {
    if (hint.kind === 'webhook') consumer.wake();
  });
  return {
    name: 'ci',
    async stop() {
      unsubscribe();
      await consumer.stop();
    },
  };
}
