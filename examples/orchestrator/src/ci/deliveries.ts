import { type Kysely, sql } from 'kysely';
import type { CiDatabase } from './tables.ts';

/** A webhook as it came. */
export interface Delivery {
  /** `X-GitHub-Delivery`: the same for every redelivery. */
  readonly id: string;
  readonly event: string;
  /** The raw bytes that were signed. */
  readonly body: Buffer;
  /** When it came; set once it is stored. */
  readonly receivedAt?: Date;
}

/** After so many failed attempts a delivery is left for a person. */
const maxAttempts = 8;
const batchSize = 50;
/** Milliseconds before the second attempt; doubled for each further one. */
const firstDelay = 1_000;

/**
 * Keeps a delivery for the consumer. A known one is kept as it is, except that a failed one gets another chance: the
 * forge sends again only what somebody asked it to.
 *
 * @returns whether there is something to do
 */
export async function storeDelivery(db: Kysely<CiDatabase>, delivery: Delivery): Promise<boolean> {
  const stored = await db
    .insertInto('webhook_deliveries')
    .values({ id: delivery.id, event: delivery.event, body: delivery.body })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({ state: 'pending', attempts: 0, error: null, next_attempt_at: sql<Date>`now()` })
        .where('webhook_deliveries.state', '=', 'failed'),
    )
    .returning('id')
    .executeTakeFirst();
  return stored !== undefined;
}

/** What a consumer makes of a delivery, in the transaction that also marks it as done. */
export type ProcessDelivery = (tx: Kysely<CiDatabase>, delivery: Delivery) => Promise<void>;

/**
 * Processes what is due, each delivery in a transaction of its own. Consumers of several processes share the work:
 * a delivery that one of them has is skipped by the others.
 *
 * @returns how many were taken
 */
export async function processDeliveries(
  db: Kysely<CiDatabase>,
  process: ProcessDelivery,
  onError: (error: unknown, deliveryId: string) => void,
): Promise<number> {
  let taken = 0;
  while (taken < batchSize && (await processOne(db, process, onError))) taken += 1;
  return taken;
}

async function processOne(
  db: Kysely<CiDatabase>,
  process: ProcessDelivery,
  onError: (error: unknown, deliveryId: string) => void,
): Promise<boolean> {
  return await db.transaction().execute(async (tx) => {
    const delivery = await takeDue(tx);
    if (!delivery) return false;
    await sql`SAVEPOINT attempt`.execute(tx);
    try {
      await process(tx, delivery);
      await markDone(tx, delivery.id);
    } catch (error) {
      await sql`ROLLBACK TO SAVEPOINT attempt`.execute(tx);
      await markFailed(tx, delivery.id, error);
      onError(error, delivery.id);
    }
    return true;
  });
}

async function takeDue(tx: Kysely<CiDatabase>): Promise<Delivery | undefined> {
  return await tx
    .selectFrom('webhook_deliveries')
    .select(['id', 'event', 'body', 'received_at as receivedAt'])
    .where('state', '=', 'pending')
    .where('next_attempt_at', '<=', sql<Date>`now()`)
    .orderBy('next_attempt_at')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

async function markDone(tx: Kysely<CiDatabase>, id: string): Promise<void> {
  await tx
    .updateTable('webhook_deliveries')
    .set({ state: 'done', processed_at: sql<Date>`now()`, error: null })
    .where('id', '=', id)
    .execute();
}

async function markFailed(tx: Kysely<CiDatabase>, id: string, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  await tx
    .updateTable('webhook_deliveries')
    .set((eb) => ({
      attempts: eb('attempts', '+', 1),
      error: message.slice(0, 2_000),
      state: sql<'pending' | 'failed'>`CASE WHEN attempts + 1 >= ${maxAttempts} THEN 'failed' ELSE 'pending' END`,
      next_attempt_at: sql<Date>`now() + make_interval(secs => ${firstDelay / 1000} * 2 ^ attempts)`,
    }))
    .where('id', '=', id)
    .execute();
}
