import type { Cell } from '../gcra.ts';
import { type Circuit, MemoryCircuits } from '../memory/circuits.ts';
import { type Account as LedgerAccount, ledgerName, MemoryLedger } from '../memory/ledger.ts';
import { MemoryPeers } from '../memory/peers.ts';
import { MemoryPermits, type Semaphore } from '../memory/permits.ts';
import { type Account, MemoryRates, scopeName } from '../memory/rates.ts';
import type {
  CircuitRecord,
  CircuitStore,
  LedgerScope,
  LedgerStore,
  PeerStore,
  PermitStore,
  RateStore,
  RateTable,
} from '../store.ts';
import type { PostgresPool } from './client.ts';
import { mapOf, type StateTable } from './state.ts';

const dayMs = 86_400_000;

/** Rates in PostgreSQL. */
export function postgresRates(table: StateTable): RateStore {
  const decide = <T>(rate: RateTable, work: (rates: MemoryRates) => T): Promise<T> => {
    const account = { [rate.account]: `rate/${rate.account}` };
    const scopes = Object.fromEntries(
      rate.scopes.map((scope) => [scopeName(rate.account, scope), `rate/${rate.account}/cells/${scope}`]),
    );
    return table.transact([...Object.values(account), ...Object.values(scopes)], keepRate, (rows) => {
      const accounts = mapOf<Account>(rows, account);
      const cells = mapOf<Cell[]>(rows, scopes);
      const answer = work(new MemoryRates(rows.clock, accounts.map, cells.map));
      accounts.keep();
      cells.keep();
      return answer;
    });
  };
  return {
    debit: (rate, requests) => decide(rate, (rates) => rates.debit(rate, requests)),
    adjust: (rate, adjustments) => decide(rate, (rates) => rates.adjust(rate, adjustments)),
    correct: (rate, remaining) => decide(rate, (rates) => rates.correct(rate, remaining)),
    pause: (rate, pause) => decide(rate, (rates) => rates.pause(rate, pause)),
    read: (rate) => decide(rate, (rates) => rates.read(rate)),
  };
}

/** Cells are kept until what is booked has drained, and a day. */
function keepRate(value: unknown): number {
  if (!Array.isArray(value)) return dayMs;
  const last = Math.max(0, ...(value as Cell[]).map(({ tat }) => tat / 1_000 - Date.now()));
  return last + dayMs;
}

/** Semaphores in PostgreSQL. */
export function postgresPermits(table: StateTable): PermitStore {
  return {
    exchange: (key, exchange) => {
      const row = `permit/${key}`;
      return table.transact(
        [row],
        () => 7 * dayMs + exchange.leaseMs,
        (rows) => {
          const { map, keep } = mapOf<Semaphore>(rows, { [key]: row });
          const answer = new MemoryPermits(rows.clock, map).exchange(key, exchange);
          keep();
          return answer;
        },
      );
    },
  };
}

/** Budgets in PostgreSQL. */
export function postgresLedger(table: StateTable, pool: PostgresPool): LedgerStore {
  const decide = <T>(
    account: string,
    scopes: readonly LedgerScope[],
    work: (ledger: MemoryLedger) => T,
  ): Promise<T> => {
    const names = Object.fromEntries(scopes.map(({ key }) => [ledgerName(account, key), `ledger/${account}/${key}`]));
    const keepMs = Math.max(dayMs, ...scopes.map((scope) => scope.keepMs));
    return table.transact(
      Object.values(names),
      () => keepMs,
      (rows) => {
        const { map, keep } = mapOf<LedgerAccount>(rows, names);
        const answer = work(new MemoryLedger(rows.clock, map));
        keep();
        return answer;
      },
    );
  };
  return {
    now: async () => {
      const { rows } = await pool.query('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now');
      return Number(rows[0]?.now);
    },
    hold: (account, id, scopes, amount, leaseMs) =>
      decide(account, scopes, (ledger) => ledger.hold(account, id, scopes, amount, leaseMs)),
    extend: (account, id, scopes, leaseMs) =>
      decide(account, scopes, (ledger) => ledger.extend(account, id, scopes, leaseMs)),
    settle: (account, id, scopes, actual) =>
      decide(account, scopes, (ledger) => ledger.settle(account, id, scopes, actual)),
    read: (account, scopes) => decide(account, scopes, (ledger) => ledger.read(account, scopes)),
  };
}

/** Circuits in PostgreSQL. */
export function postgresCircuits(table: StateTable): CircuitStore {
  const decide = <T>(key: string, work: (circuits: MemoryCircuits) => T): Promise<T> => {
    const row = `circuit/${key}`;
    return table.transact(
      [row],
      () => dayMs,
      (rows) => {
        const { map, keep } = mapOf<Circuit>(rows, { [key]: row });
        const answer = work(new MemoryCircuits(rows.clock, map));
        keep();
        return answer;
      },
    );
  };
  return {
    read: (key): Promise<CircuitRecord> => decide(key, (circuits) => circuits.read(key)),
    open: (key, forMs) => decide(key, (circuits) => circuits.open(key, forMs)),
    probe: (key, id, max, leaseMs) => decide(key, (circuits) => circuits.probe(key, id, max, leaseMs)),
    report: (key, id, ok, needed, openMs) => decide(key, (circuits) => circuits.report(key, id, ok, needed, openMs)),
  };
}

/** Members of groups in PostgreSQL. */
export function postgresPeers(table: StateTable): PeerStore {
  const decide = <T>(group: string, work: (peers: MemoryPeers) => T): Promise<T> => {
    const row = `peers/${group}`;
    return table.transact(
      [row],
      () => dayMs,
      (rows) => {
        const { map, keep } = mapOf<Map<string, number>>(rows, { [group]: row });
        const answer = work(new MemoryPeers(rows.clock, map));
        keep();
        return answer;
      },
    );
  };
  return {
    beat: (group, id, ttlMs) => decide(group, (peers) => peers.beat(group, id, ttlMs)),
    leave: (group, id) => decide(group, (peers) => peers.leave(group, id)),
  };
}
