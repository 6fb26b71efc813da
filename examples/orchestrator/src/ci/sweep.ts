import { type Kysely, sql } from 'kysely';
import type { HookDelivery, HookLog } from '../forge/github/deliveries.ts';
import { createLoop, type Loop } from '../loop.ts';
import { databaseNow, type Now } from './poll-targets.ts';
import type { CiDatabase } from './tables.ts';

export interface SweepOptions {
  readonly db: Kysely<CiDatabase>;
  readonly log: HookLog;
  /** Milliseconds between two sweeps of the deployment, however many processes there are. */
  readonly interval: number;
  readonly onError: (error: unknown) => void;
  /** Told how many deliveries were asked for again. */
  readonly onRedelivered?: (count: number) => void;
  /** @default the database's */
  readonly now?: Now;
}

/** Milliseconds that one sweep may take. */
const sweepTimeout = 300_000;

/**
 * Asks the forge for deliveries again that did not arrive: it never tries a second time by itself. One process of the
 * deployment sweeps at a time.
 */
export function createSweep(options: SweepOptions): Loop {
  const turn = async (): Promise<void> => {
    const count = await sweepHook(options);
    if (count > 0) options.onRedelivered?.(count);
  };
  return createLoop({ interval: Math.min(options.interval, 60_000), onError: options.onError, turn });
}

/** One sweep, if it is time for one. @returns how many deliveries were asked for again */
export async function sweepHook(options: SweepOptions): Promise<number> {
  const seenTo = await takeTurn(options);
  if (seenTo === undefined) return 0;
  const signal = AbortSignal.timeout(sweepTimeout);
  const attempts = await options.log.since(seenTo, signal);
  const lost = await lostAmong(options.db, attempts);
  for (const { id } of lost) await options.log.redeliver(id, signal);
  const newest = Math.max(seenTo, ...attempts.map(({ id }) => id));
  await options.db
    .updateTable('webhook_sweeps')
    .set({ seen_to: newest })
    .where('hook', '=', options.log.hook)
    .where('seen_to', '<', `${newest}`)
    .execute();
  return lost.length;
}

/** Where the last sweep ended; `undefined` while it is another process's turn, or too early. */
async function takeTurn({ db, log, interval, now = databaseNow }: SweepOptions): Promise<number | undefined> {
  const { rows } = await sql<{ seen_to: string }>`
    INSERT INTO webhook_sweeps (hook, next_at) VALUES (${log.hook}, ${now()} + make_interval(secs => ${interval / 1000}))
    ON CONFLICT (hook) DO UPDATE SET next_at = excluded.next_at WHERE webhook_sweeps.next_at <= ${now()}
    RETURNING seen_to
  `.execute(db);
  return rows[0] && Number(rows[0].seen_to);
}

/**
 * The latest attempt of every delivery that we do not have: those that failed, and those that were answered and then
 * lost with a database that was restored from a backup.
 */
async function lostAmong(db: Kysely<CiDatabase>, attempts: readonly HookDelivery[]): Promise<HookDelivery[]> {
  const byGuid = new Map<string, HookDelivery>();
  for (const attempt of attempts) {
    const known = byGuid.get(attempt.guid);
    if (!known || known.id < attempt.id) byGuid.set(attempt.guid, attempt);
  }
  if (byGuid.size === 0) return [];
  const kept = await db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('id', 'in', [...byGuid.keys()])
    .execute();
  for (const { id } of kept) byGuid.delete(id);
  return [...byGuid.values()];
}
