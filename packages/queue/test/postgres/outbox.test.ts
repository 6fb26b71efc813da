import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startPostgres, startRedis, waitFor } from '@millrace/test-support';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createQueue, defineJob, type Queue } from '../../src/index.ts';
import { migrate, outboxAdapter, relayOutbox } from '../../src/postgres.ts';
import { redisAdapter } from '../../src/redis.ts';

const work = defineJob('work', z.object({ n: z.number() }));
const script = fileURLToPath(new URL('./relay-child.ts', import.meta.url));

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let redis: Awaited<ReturnType<typeof startRedis>>;
let pool: pg.Pool;
let url: string;

beforeAll(async () => {
  postgres = await startPostgres();
  redis = await startRedis();
  url = await postgres.createDatabase();
  pool = new pg.Pool({ connectionString: url, max: 5 });
  pool.on('error', () => undefined);
  await migrate(pool);
  await pool.query('CREATE TABLE business (n int PRIMARY KEY)');
});
afterAll(async () => {
  await pool.end();
  await postgres.stop();
  await redis.stop();
});

const target = (): ReturnType<typeof redisAdapter> => redisAdapter({ url: redis.url, onWarning: () => undefined });

function open(name: string): Queue<readonly [typeof work]> {
  return createQueue({ adapter: outboxAdapter({ to: target() }), jobs: [work], name });
}

/** Writes a row and a job in one transaction; every third one is rolled back. */
async function writeAll(queue: Queue<readonly [typeof work]>, first: number, count: number): Promise<string[]> {
  const kept: string[] = [];
  for (let n = first; n < first + count; n += 1) {
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query('INSERT INTO business VALUES ($1)', [n]);
    const { id } = await queue.enqueue('work', { n }, { tx: client, tenant: n % 2 === 0 ? 'even' : 'odd' });
    if (n % 3 === 2) await client.query('ROLLBACK');
    else {
      await client.query('COMMIT');
      kept.push(id);
    }
    client.release();
  }
  return kept;
}

async function idsIn(queue: Queue<readonly [typeof work]>): Promise<string[]> {
  const { items } = await queue.inspect.jobs({}, { limit: 500 });
  return items.map(({ id }) => id).sort();
}

const left = async (): Promise<number> =>
  (await pool.query('SELECT count(*)::int AS n FROM millrace.outbox')).rows[0].n;

describe('an outbox in PostgreSQL before a queue in Redis', () => {
  it('moves what was committed, in order, and nothing else', async () => {
    await using queue = open('plain');
    const kept = await writeAll(queue, 0, 30);
    expect((await queue.inspect.counts()).ready).toBe(0);
    const to = target();
    await using relay = relayOutbox({ pool, to, interval: 20 });
    await waitFor(async () => (await left()) === 0, { what: 'the outbox to be empty' });
    expect(relay.moved).toBe(20);
    expect(await idsIn(queue)).toEqual([...kept].sort());
    await relay.stop();
    await to.close();
  });

  it.each([
    ['before-enqueue', 1_000],
    ['after-enqueue', 2_000],
    ['after-delete', 3_000],
    ['after-commit', 4_000],
  ] as const)('kill -9 %s: every committed job is there, once', { timeout: 60_000 }, async (moment, first) => {
    await using queue = open(moment);
    const kept = await writeAll(queue, first, 12);
    const options = ['--conditions=@millrace/source', '--import', 'tsx', script, url, redis.url, moment];
    const doomed = spawn(process.execPath, options, { stdio: ['ignore', 'inherit', 'inherit'] });
    const [, signal] = await once(doomed, 'exit');
    expect(signal).toBe('SIGKILL');
    const to = target();
    const relay = relayOutbox({ pool, to, interval: 20 });
    await waitFor(async () => (await left()) === 0, { what: 'the outbox to be empty' });
    await relay.stop();
    await to.close();
    expect(await idsIn(queue)).toEqual([...kept].sort());
    expect((await queue.inspect.counts()).ready).toBe(kept.length);
  });

  it('a store that is full or away is asked again', async () => {
    await using queue = open('full');
    await queue.limits.set({ limits: { maxWaiting: 5 } });
    const kept = await writeAll(queue, 5_000, 9);
    const to = target();
    const relay = relayOutbox({ pool, to, interval: 20 });
    await waitFor(async () => (await queue.inspect.counts()).ready === 5, { what: 'the queue to be full' });
    expect(await left()).toBe(kept.length - 5);
    await queue.limits.set({ limits: { maxWaiting: null } });
    await waitFor(async () => (await left()) === 0, { what: 'the outbox to be empty' });
    await relay.stop();
    await to.close();
    expect(await idsIn(queue)).toEqual([...kept].sort());
  });
});
