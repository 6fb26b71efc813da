import { postgresAdapter } from '@millrace/queue/postgres';
import { startPostgres } from '@millrace/test-support';
import pg from 'pg';
import type { Contender } from '../redis/contender.ts';
import { type Measured, median } from '../redis/measure.ts';
import { millraceOn } from '../redis/millrace.ts';
import { graphile } from './graphile.ts';
import { pgBoss } from './pg-boss.ts';
import { storeCpu } from './store-cpu.ts';

/** A private PostgreSQL that writes through to the disk, and the libraries that take turns on it, each in a database of its own. */
export interface Arena extends AsyncDisposable {
  readonly millrace: Contender;
  readonly graphile: Contender;
  readonly pgBoss: Contender;
  /** One more, which removes its jobs itself, in a database of its own; it is closed with the arena. */
  join(open: (url: string) => Promise<Contender>): Promise<Contender>;
  /** The database of {@link Arena.millrace}. */
  readonly database: pg.Pool;
  measure(count: number, work: () => Promise<void>): Promise<Measured>;
  /** Waits for workers that are leaving, then empties the databases. */
  clear(): Promise<void>;
}

const settings = { shared_buffers: '512MB', max_wal_size: '4GB' };

const tables = {
  millrace: ['state', 'job', 'ready', 'delayed', 'lease', 'session', 'tenant', 'arrival'],
  graphile_worker: ['_private_jobs'],
  pgboss: ['job'],
};

export async function openArena(): Promise<Arena> {
  const server = await startPostgres({ own: true, fsync: true, settings });
  const urls = [await server.createDatabase(), await server.createDatabase(), await server.createDatabase()] as const;
  const contenders = {
    millrace: await millraceOn(postgresAdapter({ url: urls[0] })),
    graphile: await graphile(urls[1]),
    pgBoss: await pgBoss(urls[2]),
  };
  const pools = urls.map((connectionString) => new pg.Pool({ connectionString, max: 2 }));
  for (const pool of pools) pool.on('error', () => undefined);
  for (const contender of Object.values(contenders)) {
    await contender.enqueueBulk(3_000);
    await contender.process(3_000, { concurrency: 50, prefetch: true });
  }
  const guests: Contender[] = [];
  const all = (): Contender[] => [...Object.values(contenders), ...guests];
  return {
    ...contenders,
    join: async (open) => {
      const guest = await open(await server.createDatabase());
      guests.push(guest);
      return guest;
    },
    database: pools[0] as pg.Pool,
    measure: async (count, work) => {
      const [storeBefore, nodeBefore, from] = [storeCpu(server.pid), process.cpuUsage(), performance.now()];
      await work();
      const seconds = (performance.now() - from) / 1_000;
      const { user, system } = process.cpuUsage(nodeBefore);
      return { rate: count / seconds, cpu: (user + system + storeCpu(server.pid) - storeBefore) / count };
    },
    clear: async () => {
      for (const contender of all()) await contender.atRest();
      for (const [index, [schema, names]] of Object.entries(tables).entries()) {
        const list = names.filter((table) => table !== 'state').map((table) => `${schema}.${table}`);
        await pools[index]?.query(`TRUNCATE ${list.join(', ')}`);
      }
      await pools[0]?.query(
        'UPDATE millrace.state SET ready = 0, delayed = 0, leased = 0, bytes = 0, cancels = 0, hungry = 0, due = 0, vclock = 0',
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const contender of all()) await contender.close();
      for (const pool of pools) await pool.end();
      await server.stop();
    },
  };
}

/** One thing to measure. */
export interface Trial {
  readonly count: number;
  readonly before?: () => Promise<void>;
  readonly work: () => Promise<void>;
}

/** A library that has stopped working has no rate; that of its other trials counts. */
function noteFailure(error: unknown): Measured {
  console.error(error);
  return { rate: 0, cpu: Number.POSITIVE_INFINITY };
}

/** Runs the trials in turns, `rounds` times, each on empty tables; medians. */
export async function takeTurns(arena: Arena, rounds: number, trials: readonly Trial[]): Promise<Measured[]> {
  const seen = trials.map(() => [] as Measured[]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { count, before, work }] of trials.entries()) {
      await arena.clear();
      await before?.();
      seen[index]?.push(await arena.measure(count, work).catch(noteFailure));
    }
  }
  return seen.map((all) => ({ rate: median(all.map(({ rate }) => rate)), cpu: median(all.map(({ cpu }) => cpu)) }));
}
