import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres, startPostgresStandby, temporaryDirectory, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { createObservability, type Observability } from '../src/index.ts';
import { manualClock } from './manual-clock.ts';
import { scrape } from './scrape.ts';

/** What a scrape shows of one series; each comes after the readings of the one before have become old. */
function reader(obs: Observability, clock: ReturnType<typeof manualClock>): (series: string) => Promise<number> {
  return async (series) => {
    clock.advance(1_000);
    const text = await scrape(obs);
    const line = text.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? Number.NaN : Number(line.split(' ')[1]?.replace('Inf', 'Infinity'));
  };
}

describe('replicas', () => {
  it('fall behind while they do not replay, and while they are away', { timeout: 90_000 }, async () => {
    await using primary = await startPostgres({ own: true });
    const standby = await startPostgresStandby(primary);
    const [pool, replica] = [primary, standby].map(({ url }) => new pg.Pool({ connectionString: url, max: 1 }));
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    obs.process.watchReplicas(pool as pg.Pool);
    const read = reader(obs, clock);
    const lag = (): Promise<number> => read('millrace_replica_lag_seconds{replica="walreceiver"}');
    const bound = { timeout: 30_000, interval: 100 };
    try {
      await waitFor(async () => (await lag()) >= 0, { ...bound, what: 'the replica' });
      await replica?.query('SELECT pg_wal_replay_pause()');
      await pool?.query('CREATE TABLE late (n int)');
      const fallsBehind = async (): Promise<boolean> => {
        await pool?.query('INSERT INTO late VALUES (1)');
        return (await lag()) > 0.5;
      };
      await waitFor(fallsBehind, { ...bound, what: 'a lag' });
      await replica?.end();
      await standby[Symbol.asyncDispose]();
      const gone = async (): Promise<boolean> => (await pool?.query('SELECT FROM pg_stat_replication'))?.rowCount === 0;
      await waitFor(gone, { ...bound, what: 'the end of the replica' });
      // The clock of the test goes on by a second per scrape.
      const first = await lag();
      expect([await lag(), await lag()]).toEqual([first + 1, first + 2]);
    } finally {
      await pool?.end();
    }
  });

  it('say what is missing to a role that may not see them', async () => {
    const clock = manualClock();
    await using obs = createObservability({ service: 'test', log: false, clock });
    obs.process.watchReplicas({ query: async () => ({ rows: [{ state: null, replica: 'local', lag: 0 }] }) });
    const failures = 'millrace_metrics_collect_errors_total{collector="replicas"}';
    expect(await reader(obs, clock)(failures)).toBe(1);
  });
});

it('shows the age of a backup by its marker, and none as infinitely old', async () => {
  await using folder = await temporaryDirectory('backup');
  const clock = manualClock(1_800_000_000_000);
  await using obs = createObservability({ service: 'test', log: false, clock });
  const marker = join(folder.path, 'verified');
  obs.process.watchBackup('database', marker);
  const read = reader(obs, clock);
  const age = 'millrace_backup_age_seconds{what="database"}';
  expect(await read(age)).toBe(Number.POSITIVE_INFINITY);
  await writeFile(marker, '');
  const hourAgo = new Date(clock.now() - 3_600_000);
  await utimes(marker, hourAgo, hourAgo);
  expect(await read(age)).toBe(3_601);
});
