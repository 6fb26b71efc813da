import { join } from 'node:path';
import { startPostgres, startRedis, temporaryDirectory } from '@millrace/test-support';
import pg from 'pg';
import { memoryStore } from '../src/memory.ts';
import { postgresStore } from '../src/postgres.ts';
import { type StoreAddress, startChild } from '../test/processes/protocol.ts';
import { type StormResult, storm, stormHere } from '../test/processes/storm.ts';
import type { Bench, Result } from './result.ts';

/**
 * 1,000 concurrent identical calls over 4 processes (memory: in the one that has it): the share of rounds with exactly one execution and
 * no error.
 */
export const storms: Bench = {
  metrics: ['storm.executions'],
  async run({ quick }) {
    await using directory = await temporaryDirectory();
    await using redis = await startRedis();
    await using postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const pool = new pg.Pool({ connectionString: url });
    await postgresStore({ pool }).migrate();
    await pool.end();
    const addresses: readonly StoreAddress[] = [
      { kind: 'sqlite', at: join(directory.path, 'keys.db') },
      { kind: 'redis', at: redis.url },
      { kind: 'postgres', at: url },
    ];
    const rounds = quick ? 3 : 50;
    const memory = memoryStore();
    const results = [await share('memory', rounds, (key) => stormHere(memory, key, calls))];
    for (const address of addresses) results.push(await stormOn(address, rounds));
    return results;
  },
};

const calls = 1000;

async function stormOn(address: StoreAddress, rounds: number): Promise<Result> {
  const children = await Promise.all([1, 2, 3, 4].map(() => startChild(address)));
  const result = await share(address.kind, rounds, (key) => storm(children, key, calls));
  await Promise.all(children.map((child) => child[Symbol.asyncDispose]()));
  return result;
}

async function share(store: string, rounds: number, strike: (key: string) => Promise<StormResult>): Promise<Result> {
  let good = 0;
  for (let round = 0; round < rounds; round += 1) {
    const { executed, replayed, refused, errors } = await strike(`round ${round}`);
    if (executed === 1 && replayed + refused === calls - 1 && errors.length === 0) good += 1;
    else
      process.stderr.write(
        `${store}: ${JSON.stringify({ executed, replayed, refused, errors: errors.slice(0, 3) })}\n`,
      );
  }
  return {
    metric: `storm.executions.${store}`,
    ours: good,
    peer: rounds,
    peerName: 'rounds',
    unit: `of ${rounds} rounds: 1 execution, 999 refused or replayed, 0 errors`,
    ratio: good / rounds,
  };
}
