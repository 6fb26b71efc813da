import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { startPostgres, startRedis, temporaryDirectory } from '@millrace/test-support';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { IdempotencyStore } from '../src/index.ts';
import { postgresStore } from '../src/postgres.ts';
import { redisStore } from '../src/redis.ts';
import { sqliteStore } from '../src/sqlite.ts';
import { allSteps, type StoreAddress } from '../test/processes/protocol.ts';
import { expectedOutcome, loseExecutor, type ZombieCase } from '../test/processes/zombies.ts';
import type { Bench, Result } from './result.ts';

/** Executors killed, or stopped beyond their lease, at every step: the share of cases that end as the policy says. */
export const zombies: Bench = {
  metrics: ['zombie.effects'],
  async run({ quick }) {
    await using directory = await temporaryDirectory();
    await using redisServer = await startRedis();
    await using postgresServer = await startPostgres();
    const path = join(directory.path, 'keys.db');
    const url = await postgresServer.createDatabase();
    const pool = new pg.Pool({ connectionString: url });
    pool.on('error', () => undefined);
    const redis = new Redis(redisServer.url);
    const postgres = postgresStore({ pool });
    await postgres.migrate();
    const subjects: readonly (readonly [StoreAddress, unknown])[] = [
      [{ kind: 'sqlite', at: path }, sqliteStore({ path })],
      [{ kind: 'redis', at: redisServer.url }, redisStore({ redis })],
      [{ kind: 'postgres', at: url }, postgres],
    ];
    const results: Result[] = [];
    for (const [address, store] of subjects) {
      results.push(await zombiesOn(address, store as IdempotencyStore<never>, quick ? 1 : 2));
    }
    redis.disconnect();
    await pool.end();
    return results;
  },
};

const cases: readonly ZombieCase[] = (['takeover', 'park'] as const).flatMap((policy) =>
  (['kill', 'stop'] as const).flatMap((how) => allSteps.map((step) => ({ policy, how, step }))),
);

async function zombiesOn(address: StoreAddress, store: IdempotencyStore<never>, repeats: number): Promise<Result> {
  let good = 0;
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const zombie of cases) {
      const { phases: _, ...outcome } = await loseExecutor(address, store, zombie);
      const expected = expectedOutcome(zombie);
      if (isDeepStrictEqual(outcome, expected)) good += 1;
      else process.stderr.write(`${address.kind}: ${JSON.stringify({ zombie, outcome })}\n`);
    }
  }
  await store.close();
  const total = cases.length * repeats;
  const unit = `of ${total} lost executors ended as the policy says, without effect of the zombie`;
  return {
    metric: `zombie.effects.${address.kind}`,
    ours: good,
    peer: total,
    peerName: 'cases',
    unit,
    ratio: good / total,
  };
}
